package upstream

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

const envelope = `{"status":"error","error_code":"WORKFLOW_SERVICE_UNAVAILABLE","message":"later"}`

func reply(status int, header, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d %s\r\n%sContent-Length: %d\r\n\r\n%s", status, http.StatusText(status), header, len(body), body)
}

// inTurn returns a script that responds with one text after another; an empty one
// ends the connection, by a reset where that is possible. The last is repeated for
// ever.
func inTurn(texts ...string) func(net.Conn, string) bool {
	var n atomic.Int64
	return func(c net.Conn, _ string) bool {
		text := texts[min(int(n.Add(1)), len(texts))-1]
		if text == "" {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			return false
		}
		_, err := io.WriteString(c, text)
		return err == nil
	}
}

func patient(c *Config) { c.MaxAttempts, c.RetryBudget = 3, 1 }

func getIntegration(ctx context.Context, c *Client) (*exchange.Exchange, error) {
	ctx, ex := exchange.NewContext(ctx)
	var resp integrationv1.GetIntegrationResponse
	err := c.Call(ctx, Call{
		Method:   integrationv1.IntegrationService_GetIntegration_FullMethodName,
		Request:  &integrationv1.GetIntegrationRequest{IntegrationId: integrationID},
		Response: &resp,
	})
	return ex, err
}

func statuses(ex *exchange.Exchange) string {
	var b strings.Builder
	for _, a := range ex.Attempts {
		fmt.Fprintf(&b, "%d %s;", a.Status, a.Outcome)
	}
	return b.String()
}

func TestCall_ResponseOfDiga_IsRepeatedOnlyWhereItDidNothingAndNamedATime(t *testing.T) {
	date := func(in time.Duration) string {
		now := time.Now().UTC()
		return "Date: " + now.Format(http.TimeFormat) + "\r\nRetry-After: " + now.Add(in).Format(http.TimeFormat) + "\r\n"
	}
	for name, c := range map[string]struct {
		responses   []string
		write, read string // the attempts, of a copy and of a read
	}{
		"429 with Retry-After":             {[]string{reply(429, "Retry-After: 0\r\n", ""), created()}, "429 REJECTED;201 DONE;", "429 REJECTED;201 DONE;"},
		"429 with a date":                  {[]string{reply(429, date(time.Second), ""), created()}, "429 REJECTED;201 DONE;", "429 REJECTED;201 DONE;"},
		"429 without Retry-After":          {[]string{reply(429, "", ""), created()}, "429 REJECTED;", "429 REJECTED;"},
		"429 with nonsense":                {[]string{reply(429, "Retry-After: soon\r\n", ""), created()}, "429 REJECTED;", "429 REJECTED;"},
		"429 for longer than there is":     {[]string{reply(429, "Retry-After: 60\r\n", ""), created()}, "429 REJECTED;", "429 REJECTED;"},
		"503 of Diga":                      {[]string{reply(503, "Retry-After: 0\r\n", envelope), created()}, "503 REJECTED;201 DONE;", "503 REJECTED;201 DONE;"},
		"503 of a proxy":                   {[]string{reply(503, "Retry-After: 0\r\n", "<html>"), created()}, "503 UNKNOWN;", "503 UNKNOWN;201 DONE;"},
		"502":                              {[]string{reply(502, "Retry-After: 0\r\n", "<html>"), created()}, "502 UNKNOWN;", "502 UNKNOWN;201 DONE;"},
		"500":                              {[]string{reply(500, "Retry-After: 0\r\n", envelope), created()}, "500 UNKNOWN;", "500 UNKNOWN;201 DONE;"},
		"500 in a word of digate's own":    {[]string{reply(500, "", `{"status":"error","error_code":"UPSTREAM_UNREACHABLE","message":"later"}`), created()}, "500 UNKNOWN;", "500 UNKNOWN;201 DONE;"},
		"reset":                            {[]string{"", created()}, "0 UNKNOWN;", "0 UNKNOWN;201 DONE;"},
		"404":                              {[]string{reply(404, "Retry-After: 0\r\n", envelope), created()}, "404 REJECTED;", "404 REJECTED;"},
		"no id":                            {[]string{reply(200, "Retry-After: 0\r\n", "{}"), created()}, "200 UNKNOWN;", "200 UNKNOWN;"},
		"429 and then a reset":             {[]string{reply(429, "Retry-After: 0\r\n", ""), "", created()}, "429 REJECTED;0 UNKNOWN;", "429 REJECTED;0 UNKNOWN;201 DONE;"},
		"429 as often as may be":           {[]string{reply(429, "Retry-After: 0\r\n", "")}, "429 REJECTED;429 REJECTED;429 REJECTED;", "429 REJECTED;429 REJECTED;429 REJECTED;"},
		"a verdict after another response": {[]string{reply(503, "Retry-After: 0\r\n", envelope), reply(404, "", envelope)}, "503 REJECTED;404 REJECTED;", "503 REJECTED;404 REJECTED;"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []struct{ name, want string }{{"write", c.write}, {"read", c.read}} {
				synctest.Test(t, func(t *testing.T) {
					v, client := newPiped(t, inTurn(c.responses...), patient)
					var ex *exchange.Exchange
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					defer cancel()
					if kind.name == "write" {
						ex = copyOne(ctx, client).ex
					} else {
						ex, _ = getIntegration(ctx, client)
					}
					if got := statuses(ex); got != kind.want || len(v.received()) != len(ex.Attempts) {
						t.Errorf("a %s: %s, want %s; the upstream received %d", kind.name, got, kind.want, len(v.received()))
					}
				})
			}
		})
	}
}

// What the last response said must not be mixed with what one before it said.
func TestCall_SuccessAfterARefusal_HasNothingOfIt(t *testing.T) {
	v := newUpstream(t, nil, inTurn(reply(429, "Retry-After: 0\r\n", envelope), created()))
	r := copyOne(t.Context(), newClient(t, v.url(), patient))
	r.want(t, "", exchange.Done, 201, 2, "")
	if !r.ex.Relay || string(r.ex.Body) != wholeResponse || r.resp.GetIntegration().GetId() != integrationID {
		t.Errorf("%v %q %v", r.ex.Relay, r.ex.Body, &r.resp)
	}
	if got := v.received(); len(got) != 2 || got[0] != got[1] {
		t.Errorf("the second request differs from the first: %q", got)
	}
}

func TestCall_LostResponseAfterARefusal_HasNothingOfIt(t *testing.T) {
	v := newUpstream(t, nil, inTurn(reply(429, "Retry-After: 0\r\n", envelope), ""))
	r := copyOne(t.Context(), newClient(t, v.url(), patient))
	r.want(t, apierror.ReasonOutcomeUnknown, exchange.Unknown, 0, 2, "connection reset")
	if r.ex.Relay || len(r.ex.Body) > 0 {
		t.Errorf("%v %q", r.ex.Relay, r.ex.Body)
	}
}

func TestCall_NoConnection_IsTriedAgainUntilThereIsOne(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	client := newClient(t, "http://"+addr, patient, func(c *Config) { c.RetryBudget = 0.1 })
	r := copyOne(t.Context(), client)
	r.want(t, "UPSTREAM_UNREACHABLE", exchange.NotSent, 0, 3, "connection refused")
}

func TestCall_EarnedRetriesUsedUp_AreNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, client := newPiped(t, responding(reply(429, "Retry-After: 0\r\n", "")), func(c *Config) { c.MaxAttempts, c.RetryBudget = 2, 0.1 })
		const calls = 50
		for range calls {
			copyOne(t.Context(), client)
		}
		// The burst, and one for every ten calls; the first calls find it full.
		if got := len(v.received()) - calls; got < budgetBurst || got > budgetBurst+calls/10 {
			t.Errorf("%d retries of %d calls", got, calls)
		}
	})
}

func TestCall_CallerLeavesBetweenAttempts_HearsDigasVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newPiped(t, responding(reply(429, "Retry-After: 3600\r\n", "")), patient, func(c *Config) { c.Timeout = 2 * time.Hour })
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, leave) // while the call waits for the time that the upstream named
		began := time.Now()
		copyOne(ctx, client).want(t, "RATE_LIMITED", exchange.Rejected, 429, 1, "")
		if took := time.Since(began); took != time.Minute {
			t.Errorf("the caller left after %v", took)
		}
	})
}

func TestBackoff_EveryAttempt_IsInTheUpperHalfOfItsBound(t *testing.T) {
	for attempt, most := range []time.Duration{1: 50 * time.Millisecond, 2: 100 * time.Millisecond, 3: 200 * time.Millisecond, 9: maxBackoff} {
		if most == 0 {
			continue
		}
		seen := make(map[time.Duration]bool)
		for range 100 {
			d := backoff(attempt)
			if d < most/2 || d >= most {
				t.Errorf("attempt %d: %v, want within [%v, %v)", attempt, d, most/2, most)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("attempt %d: no jitter", attempt)
		}
	}
}

func TestCall_BeforeSend_RunsBeforeEachExchangeAndRulesIt(t *testing.T) {
	v := newUpstream(t, nil, inTurn(reply(429, "Retry-After: 0\r\n", ""), created(), reply(429, "Retry-After: 0\r\n", "")))
	client := newClient(t, v.url(), patient)
	ctx, leave := context.WithCancel(t.Context())
	calls := 0
	hooked := func(beforeSend func() (context.Context, error)) Call {
		return Call{
			Method: copyTemplate, Request: &integrationv1.CopyTemplateRequest{TemplateId: templateID},
			Response: new(integrationv1.CopyTemplateResponse), BeforeSend: beforeSend,
		}
	}
	err := client.Call(ctx, hooked(func() (context.Context, error) {
		if left := len(v.received()); left != calls {
			t.Errorf("asked for the %d. time, and %d requests had left", calls+1, left)
		}
		calls++
		return context.WithoutCancel(ctx), nil
	}))
	leave()
	if err != nil || calls != 2 || len(v.received()) != 2 {
		t.Errorf("%v, called %d times, %d requests", err, calls, len(v.received()))
	}
	if !slices.Equal(v.received()[:1], v.received()[1:]) {
		t.Error("the requests differ")
	}

	calls = 0
	err = client.Call(t.Context(), hooked(func() (context.Context, error) {
		if calls++; calls == 2 {
			return nil, io.ErrNoProgress
		}
		return t.Context(), nil
	}))
	if e := apierror.FromError(err); e.Outcome != exchange.Rejected || e.HTTPStatus != 429 || len(v.received()) != 3 {
		t.Errorf("%v after the hook failed at the second attempt, %d requests; want the verdict on the first", err, len(v.received()))
	}

	err = client.Call(t.Context(), hooked(func() (context.Context, error) {
		return nil, io.ErrNoProgress
	}))
	if err == nil || len(v.received()) != 3 {
		t.Errorf("%v after the hook failed, %d requests", err, len(v.received()))
	}
}

// The hook's context decides what Diga's Retry-After has to fit, and it
// alone: the caller may be gone, or have more time.
func TestCall_RetryAfterTheHook_GoesByTheHooksTime(t *testing.T) {
	for name, c := range map[string]struct {
		caller, hook time.Duration
		leaves       bool
		want         string
		took         time.Duration
	}{
		"the hook's is longer":      {caller: 10 * time.Second, hook: time.Minute, want: "429 REJECTED;201 DONE;", took: 20 * time.Second},
		"the hook's is too short":   {caller: time.Minute, hook: 10 * time.Second, want: "429 REJECTED;"},
		"the caller leaves at once": {caller: time.Minute, hook: time.Minute, leaves: true, want: "429 REJECTED;201 DONE;", took: 20 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			v := new(switchable)
			v.become(func(r *http.Request) (*http.Response, error) {
				v.become(after(0, 201, wholeResponse))
				resp, err := after(0, 429, "")(r)
				resp.Header.Set("Retry-After", "20")
				return resp, err
			})
			client := newClientOf(t, v.RoundTrip, patient)
			ctx, leave := context.WithTimeout(t.Context(), c.caller)
			defer leave()
			hooked, cancel := context.WithTimeout(t.Context(), c.hook)
			defer cancel()
			began := time.Now()
			r := copyVia(ctx, client, func() (context.Context, error) {
				if c.leaves {
					leave()
				}
				return hooked, nil
			})
			if got := statuses(r.ex); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
			if took := time.Since(began); took < c.took || took > c.took+time.Second {
				t.Errorf("%s: took %v, want %v", name, took, c.took)
			}
		})
	}
}

func TestRetryBudget_EmptyBudget_NeedsAWholeRetryEarned(t *testing.T) {
	t.Parallel()
	b := newRetryBudget(0.25)
	for n := range budgetBurst {
		if !b.spend() {
			t.Fatalf("retry %d of the burst was refused", n+1)
		}
	}
	for n := range 4 {
		if b.spend() {
			t.Errorf("a retry after %d calls, want it after 4", n)
		}
		b.earn()
	}
	if !b.spend() || b.spend() {
		t.Error("want one retry after 4 calls")
	}
}
