package upstream

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/secret"
)

func TestCall_MoreThanMayBeUnderWay_IsShedOrWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, v, ended, respond := busy(t)
		go func() { ended <- copyOne(t.Context(), client) }()
		synctest.Wait()
		if got := client.Load().Queued; got != 1 {
			t.Errorf("%d wait, want 1", got)
		}
		r := copyOne(t.Context(), client)
		r.want(t, "OVERLOADED", exchange.NotSent, 0, 0, "")
		if r.err.Code != codes.Unavailable || r.err.RetryAfter == nil {
			t.Errorf("%v, retry after %v", r.err, r.err.RetryAfter)
		}
		close(respond)
		for range 2 {
			(<-ended).wantDone(t)
		}
		if len(v.received()) != 2 {
			t.Errorf("the upstream received %d", len(v.received()))
		}
	})
}

func TestCall_DeadlinePassesInTheQueue_NothingIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, v, ended, respond := busy(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		copyOne(ctx, client).want(t, apierror.ReasonDeadlineBeforeSend, exchange.NotSent, 0, 0, "deadline exceeded")
		close(respond)
		(<-ended).wantDone(t)
		if len(v.received()) != 1 {
			t.Errorf("the upstream received %d", len(v.received()))
		}
	})
}

// wantDone wants a success in one attempt, however little time that took.
func (r *result) wantDone(t *testing.T) {
	t.Helper()
	if r.err != nil || r.ex.Outcome != exchange.Done || r.ex.Status != 201 || len(r.ex.Attempts) != 1 {
		t.Errorf("got %v, %v, HTTP %d, %d attempts", r.err, r.ex.Outcome, r.ex.Status, len(r.ex.Attempts))
	}
}

// busy returns a client that may have one exchange under way and one call in its
// queue, with that exchange under way until respond is closed. Its result is sent
// to ended.
func busy(t *testing.T) (client *Client, v *fakeUpstream, ended chan *result, respond chan struct{}) {
	t.Helper()
	respond = make(chan struct{})
	v, client = newPiped(t, func(c net.Conn, r string) bool {
		<-respond
		return responding(created())(c, r)
	}, func(c *Config) { c.MaxInFlight, c.MaxQueue = 1, 1 })
	ended = make(chan *result, 2)
	go func() { ended <- copyOne(t.Context(), client) }()
	synctest.Wait()
	return client, v, ended, respond
}

// inCoding responds with a body in a coding.
func inCoding(status int, coding, body string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		resp, err := after(0, status, body)(r)
		resp.Header.Set("Content-Encoding", coding)
		return resp, err
	}
}

// breakingOff responds with a body that breaks off.
func breakingOff(status int, body string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		resp, err := after(0, status, body)(r)
		resp.ContentLength++
		return resp, err
	}
}

// The evidence of overload is what Diga or something before it said, or a silence
// for which no caller is the reason.
func TestCall_Response_IsEvidenceOfOverloadOrNone(t *testing.T) {
	page := "<html>"
	for name, c := range map[string]struct {
		upstream roundTrip
		within   time.Duration // the caller's deadline, of 30 s that digate gives; negated, when it cancels
		want     string
	}{
		"201":                     {after(0, 201, wholeResponse), time.Minute, ""},
		"404":                     {after(0, 404, envelope), time.Minute, ""},
		"401":                     {after(0, 401, envelope), time.Minute, ""},
		"429":                     {after(0, 429, envelope), time.Minute, "rate_limited"},
		"429 of a proxy":          {after(0, 429, page), time.Minute, "rate_limited"},
		"500":                     {after(0, 500, envelope), time.Minute, ""},
		"502":                     {after(0, 502, page), time.Minute, "transport"},
		"503 in the envelope":     {after(0, 503, envelope), time.Minute, "overloaded"},
		"503 of a proxy":          {after(0, 503, page), time.Minute, "transport"},
		"504":                     {after(0, 504, page), time.Minute, "transport"},
		"no connection":           {func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }, time.Minute, "transport"},
		"silence":                 {never(), time.Minute, "transport"},
		"half of the time":        {never(), 16 * time.Second, "transport"},
		"less than half of it":    {never(), 14 * time.Second, ""},
		"response after 29 s":     {after(29*time.Second, 201, wholeResponse), time.Minute, ""},
		"a caller that cancels":   {never(), -26 * time.Second, ""},
		"one that cancels late":   {never(), -28 * time.Second, "transport"},
		"a response that is slow": {after(20*time.Second, 404, envelope), time.Minute, ""},
		"404 in br":               {inCoding(404, "br", "\x0b\x02\x80{}\x03"), time.Minute, ""},
		"429 in br":               {inCoding(429, "br", "\x0b\x02\x80{}\x03"), time.Minute, "rate_limited"},
		"201 in broken gzip":      {inCoding(201, "gzip", "\x1f\x8b\x08 and no more"), time.Minute, ""},
		"404 that breaks off":     {breakingOff(404, envelope), time.Minute, "transport"},
		"429 that breaks off":     {breakingOff(429, envelope), time.Minute, "rate_limited"},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := newClientOf(t, c.upstream)
			ctx, cancel := context.WithTimeout(t.Context(), max(c.within, 0))
			if c.within < 0 {
				ctx, cancel = context.WithCancel(t.Context())
				time.AfterFunc(-c.within, cancel)
			}
			defer cancel()
			copyOne(ctx, client)
			got := ""
			for kind, n := range client.Load().Evidence {
				if n > 0 {
					got += kind
				}
			}
			if got != c.want {
				t.Errorf("%s: evidence %q, want %q", name, got, c.want)
			}
		})
	}
}

// An account waits for the time that Diga named, and another does not.
func TestCall_AccountThatIsToldToWait_WaitsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var other atomic.Bool
		asked := 0
		client := newClientOf(t, func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") == "Bearer other" {
				return after(time.Millisecond, 201, wholeResponse)(r)
			}
			if asked++; asked > 1 {
				return after(time.Millisecond, 201, wholeResponse)(r)
			}
			resp, err := after(time.Millisecond, 429, envelope)(r)
			resp.Header.Set("Retry-After", "10")
			return resp, err
		}, func(c *Config) {
			c.Credential = func(context.Context) (Credential, error) {
				if other.Load() {
					return Credential{Token: secret.New("other"), Account: "other"}, nil
				}
				return Credential{Token: secret.New(token), Account: token}, nil
			}
		})
		copyOne(t.Context(), client).want(t, "WORKFLOW_SERVICE_UNAVAILABLE", exchange.Rejected, 429, 1, "")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r := copyOne(ctx, client)
		r.want(t, apierror.ReasonOverloaded, exchange.NotSent, 0, 0, "")
		if r.err.RetryAfter == nil || *r.err.RetryAfter != 10*time.Second {
			t.Errorf("retry after %v", r.err.RetryAfter)
		}
		other.Store(true)
		copyOne(ctx, client).want(t, "", exchange.Done, 201, 1, "")
		other.Store(false)
		began := time.Now()
		copyOne(t.Context(), client).want(t, "", exchange.Done, 201, 1, "")
		if took := time.Since(began); took < 10*time.Second || took > 10*time.Second+50*time.Millisecond {
			t.Errorf("the account that was told to wait 10 s waited %v", took)
		}
	})
}

// Each caller learns when to try again, and does not wait for its deadline in vain.
func TestCall_AccountThatIsToldToWaitAgainAndAgain_EveryCallHasARetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClientOf(t, func(r *http.Request) (*http.Response, error) {
			resp, err := after(time.Millisecond, 429, envelope)(r)
			resp.Header.Set("Retry-After", "2")
			return resp, err
		})
		copyOne(t.Context(), client)
		const calls = 90
		ended := make(chan *result, calls)
		for range calls {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				ended <- copyOne(ctx, client)
			}()
		}
		for range calls {
			if r := <-ended; r.err.RetryAfter == nil || r.err.Outcome == exchange.Unknown {
				t.Errorf("got %v, retry after %v", r.err, r.err.RetryAfter)
			}
		}
	})
}
