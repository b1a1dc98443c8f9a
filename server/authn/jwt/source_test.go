package jwt

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// roundTripper responds to requests without a socket.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const oneKey = `{"keys": [{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

func TestSource_ServerHangs_IsCutAndAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []error
		s, err := newSource("corp", "https://idp.example/jwks", func(_ string, err error) { told = append(told, err) })
		if err != nil {
			t.Fatal(err)
		}
		var asked atomic.Int32
		s.client = &http.Client{Timeout: fetchTimeout, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if asked.Add(1) == 1 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(oneKey))}, nil
		})}
		ctx, cancel := context.WithCancel(t.Context())
		began, done := time.Now(), make(chan struct{})
		go func() {
			defer close(done)
			s.run(ctx, func() {
				if took := time.Since(began); took != fetchTimeout {
					t.Errorf("the first read took %v", took)
				}
			})
		}()
		synctest.Wait()
		if !s.requestRefresh() { // a call that comes while the keys are read
			t.Error("they are not being read")
		}
		time.Sleep(fetchTimeout + refreshLeast - time.Second)
		synctest.Wait()
		if s.requestRefresh() || asked.Load() != 1 {
			t.Errorf("read %d times", asked.Load())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if asked.Load() != 2 || s.keys.Load() == nil || s.failing() {
			t.Errorf("read %d times, failing %t", asked.Load(), s.failing())
		}
		for range 1000 { // tokens with keys that nobody has
			s.requestRefresh()
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := asked.Load(); n < 11 || n > 12 { // 100 s, every 10 s
			t.Errorf("read %d times", asked.Load())
		}
		time.Sleep(refreshEvery + time.Minute)
		synctest.Wait()
		if n := asked.Load(); n < 12 || n > 14 {
			t.Errorf("read %d times", asked.Load())
		}
		if len(told) != 2 || !errors.Is(told[0], context.DeadlineExceeded) || told[1] != nil {
			t.Errorf("told %v", told)
		}
		cancel()
		<-done
	})
}

// Nobody asks a server that is not ready for anything, so it reads the keys by itself.
func TestSource_KeysWereNeverRead_AreReadOftenUntilTheyAre(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []error
		s, err := newSource("corp", "https://idp.example/jwks", func(_ string, err error) { told = append(told, err) })
		if err != nil {
			t.Fatal(err)
		}
		var asked atomic.Int32
		s.client = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			if asked.Add(1) != 4 {
				return &http.Response{StatusCode: http.StatusBadGateway, Body: http.NoBody}, nil
			}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(oneKey))}, nil
		})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.run(ctx, nil) }()
		time.Sleep(3*refreshLeast + time.Second)
		synctest.Wait()
		if asked.Load() != 4 || s.keys.Load() == nil {
			t.Errorf("asked %d times", asked.Load())
		}
		time.Sleep(refreshEvery)
		synctest.Wait()
		if asked.Load() != 5 || !s.failing() || s.keys.Load() == nil {
			t.Errorf("asked %d times, failing %t", asked.Load(), s.failing())
		}
		cancel()
		<-done
		if len(told) != 3 || told[1] != nil {
			t.Fatalf("told %v", told)
		}
		for i, want := range map[int]bool{0: true, 2: false} {
			if _, never := errors.AsType[*NoKeysError](told[i]); never != want {
				t.Errorf("%v: keys were never read is %t, want %t", told[i], never, want)
			}
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add(oneKey)
	f.Add(`{"keys": [{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"oct","k":"AA"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := parseKeys([]byte(text))
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("got %d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			if !usable(k.public) || k.fits("HS256") || k.fits("none") {
				t.Fatalf("got %T", k.public)
			}
		}
	})
}
