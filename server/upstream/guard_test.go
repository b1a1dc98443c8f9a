package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// roundTrip is an upstream without sockets, for times that a test makes pass.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// newClientOf returns a client of such an upstream.
func newClientOf(t *testing.T, fake roundTrip, change ...func(*Config)) *Client {
	t.Helper()
	c := newClient(t, "http://upstream.test", change...)
	c.direct.Store(nil)
	c.transport.Load().RegisterProtocol("http", fake)
	return c
}

// after responds once so much time has passed and the caller is still there.
func after(d time.Duration, status int, body string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		return &http.Response{
			StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
			ContentLength: int64(len(body)), ProtoMajor: 1, ProtoMinor: 1,
		}, nil
	}
}

// Of the breaker: so many failures open it, and so many probes close it.
const breakerCalls, breakerProbes = 20, 3

func never() roundTrip { return after(1000*time.Hour, 500, "") }

// copyVia makes a copy whose record is kept by the hook.
func copyVia(ctx context.Context, c *Client, beforeSend func() (context.Context, error)) *result {
	r := new(result)
	ctx, r.ex = exchange.NewContext(ctx)
	err := c.Call(ctx, Call{
		Method: copyTemplate, Request: &integrationv1.CopyTemplateRequest{TemplateId: templateID}, Response: &r.resp, BeforeSend: beforeSend,
	})
	if err != nil && !errors.As(err, &r.err) {
		panic("not an apierror.Error: " + err.Error())
	}
	return r
}

// states are what a breaker became.
type states struct {
	mu   sync.Mutex
	seen []string
}

func (s *states) CircuitChanged(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, state)
}

func (s *states) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.seen, " ")
}

// switchable is an upstream that can become another.
type switchable struct {
	mu  sync.Mutex
	now roundTrip
}

func (s *switchable) become(now roundTrip) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

func (s *switchable) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	now := s.now
	s.mu.Unlock()
	return now(r)
}

// failed returns a client whose upstream failed until its circuit opened, with the
// time over for which it is left alone.
func failed(t *testing.T) (*Client, *switchable, *states) {
	t.Helper()
	changes := new(states)
	v := &switchable{now: after(0, 500, envelope)}
	c := newClientOf(t, v.RoundTrip, func(c *Config) {
		c.Timeout, c.BreakerDelay, c.Observer = 30*time.Second, time.Second, changes
	})
	for range breakerCalls {
		copyOne(t.Context(), c)
	}
	if c.Load().Circuit != "open" {
		t.Fatal(c.Load().Circuit)
	}
	time.Sleep(2 * time.Second)
	return c, v, changes
}

func TestCall_ProbesHang_OthersAreNotHeldUpForAsLongAsTheirCallersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v, changes := failed(t)
		v.become(never())
		patient, cancel := context.WithTimeout(t.Context(), time.Hour)
		var ended sync.WaitGroup
		for range breakerProbes {
			ended.Go(func() {
				if r := copyOne(patient, c); r.ex.Duration() < time.Minute {
					t.Errorf("a probe's caller had no more than %v: %v", r.ex.Duration(), r.err)
				}
			})
		}
		synctest.Wait()
		v.become(after(time.Millisecond, 201, wholeResponse))
		copyOne(t.Context(), c).want(t, "UPSTREAM_CIRCUIT_OPEN", exchange.NotSent, 0, 0, "")
		time.Sleep(c.timeout + 2*time.Second)
		for range breakerProbes {
			copyOne(t.Context(), c).want(t, "", exchange.Done, 201, 1, "")
		}
		if got := changes.String(); got != "open half-open open half-open closed" {
			t.Error(got)
		}
		time.Sleep(time.Minute)
		cancel()
		ended.Wait()
		if got := c.Load(); got.Circuit != "closed" || got.InFlight != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// Callers with less time than the upstream takes say nothing of it, but they keep
// coming.
func TestCall_ImpatientCallersAtAHalfOpenCircuit_PatientOnesCloseIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v, changes := failed(t)
		v.become(after(300*time.Millisecond, 201, wholeResponse))
		end := time.Now().Add(20 * time.Second)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				for time.Now().Before(end) {
					ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
					copyOne(ctx, c)
					cancel()
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		time.Sleep(time.Second)
		began := time.Now()
		for c.Load().Circuit != "closed" && time.Now().Before(end) {
			if copyOne(t.Context(), c).err != nil {
				time.Sleep(time.Second)
			}
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("closed after %v", took)
		}
		callers.Wait()
		if got := changes.String(); got != "open half-open closed" {
			t.Error(got)
		}
	})
}

// What is recorded before it is sent waits for its record and not the others,
// and the time that this takes is not Diga's.
func TestCall_RecordsTakeTheirTime_OthersAreSentMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClientOf(t, after(10*time.Millisecond, 201, wholeResponse), func(c *Config) {
			c.MaxInFlight, c.MaxQueue = 2, 2
		})
		recorded := make(chan struct{})
		var inHook, most int
		var mu sync.Mutex
		record := func() (context.Context, error) {
			mu.Lock()
			inHook++
			most = max(most, inHook)
			mu.Unlock()
			<-recorded
			mu.Lock()
			inHook--
			mu.Unlock()
			return t.Context(), nil
		}
		var ended sync.WaitGroup
		for range 4 {
			ended.Go(func() { copyVia(t.Context(), c, record).want(t, "", exchange.Done, 201, 1, "") })
		}
		synctest.Wait()
		if got := c.Load(); inHook != 2 || got.InFlight != 0 || got.Queued != 2 {
			t.Errorf("%d are being recorded, %+v", inHook, got)
		}
		copyVia(t.Context(), c, record).want(t, "OVERLOADED", exchange.NotSent, 0, 0, "")
		for range 10 {
			began := time.Now()
			copyOne(t.Context(), c).want(t, "", exchange.Done, 201, 1, "")
			if took := time.Since(began); took != 10*time.Millisecond {
				t.Errorf("one without a record took %v", took)
			}
		}
		close(recorded)
		ended.Wait()
		if got := c.Load(); most != 2 || got.InFlight != 0 || got.Queued != 0 || c.Load().Slots != 0 {
			t.Errorf("%d were recorded at once, %+v, %d slots", most, got, c.Load().Slots)
		}
	})
}

func TestCall_RecordsBecomeSlow_TheLimitStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClientOf(t, after(20*time.Millisecond, 201, wholeResponse), func(c *Config) {
			c.MaxInFlight = 100
		})
		const change, end = 5 * time.Second, 15 * time.Second
		began := time.Now()
		record := func() (context.Context, error) {
			if time.Since(began) > change {
				time.Sleep(200 * time.Millisecond)
			}
			return t.Context(), nil
		}
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				for time.Since(began) < end {
					copyVia(t.Context(), c, record)
				}
			})
		}
		time.Sleep(change)
		before := c.Load().Limit
		callers.Wait()
		if after := c.Load().Limit; before < 50 || after < before {
			t.Errorf("the limit was %d, and is %d with slow records", before, after)
		}
	})
}

// A call that was recorded has its turn; one that is not any more gives way.
func TestCall_TimeIsOverAfterTheRecord_NothingIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClientOf(t, after(time.Minute, 201, wholeResponse), func(c *Config) { c.MaxInFlight, c.Timeout = 1, time.Hour })
		var first sync.WaitGroup
		first.Go(func() { copyOne(t.Context(), c).want(t, "", exchange.Done, 201, 1, "") })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		copyVia(t.Context(), c, func() (context.Context, error) { return ctx, nil }).
			want(t, apierror.ReasonDeadlineBeforeSend, exchange.NotSent, 0, 0, "deadline exceeded")
		copyVia(t.Context(), c, func() (context.Context, error) { return t.Context(), nil }).want(t, "", exchange.Done, 201, 1, "")
		first.Wait()
		if got := c.Load(); got.InFlight != 0 || c.Load().Slots != 0 {
			t.Errorf("%+v, %d slots", got, c.Load().Slots)
		}
	})
}
