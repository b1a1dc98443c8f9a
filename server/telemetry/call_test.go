package telemetry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// scrape returns the metrics.
func scrape(tel *Telemetry) string {
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	return w.Body.String()
}

// wants reports the texts that are missing.
func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in %s", part, text)
		}
	}
}

// unary makes a call that has this exchange and this error.
func unary(ctx context.Context, tel *Telemetry, fill func(*exchange.Exchange), result error) error {
	_, err := tel.UnaryInterceptor(ctx, nil, &grpc.UnaryServerInfo{FullMethod: method}, func(ctx context.Context, _ any) (any, error) {
		if fill != nil {
			fill(exchange.FromContext(ctx))
		}
		return nil, result
	})
	return err
}

func TestMiddleware_Status_IsTheFirstThatWasWritten(t *testing.T) {
	for name, c := range map[string]struct {
		write func(http.ResponseWriter)
		want  string
	}{
		"implied": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "body") }, "200"},
		"given":   {func(w http.ResponseWriter) { w.WriteHeader(http.StatusCreated); _, _ = io.WriteString(w, "body") }, "201"},
		"given twice": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotFound)
			w.WriteHeader(http.StatusInternalServerError)
		}, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			tel, log := observed()
			tel.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.write(w) })).
				ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			wants(t, log.String(), `"http_status":`+c.want)
			wants(t, scrape(tel), `digate_http_responses_total{status="`+c.want+`"} 1`)
		})
	}
}

// deadlined is a response writer that a deadline can be set on.
type deadlined struct {
	http.ResponseWriter
	set bool
}

func (d *deadlined) SetWriteDeadline(time.Time) error { d.set = true; return nil }

func TestMiddleware_ResponseController_ReachesTheConnection(t *testing.T) {
	tel, _ := observed()
	w := &deadlined{ResponseWriter: httptest.NewRecorder()}
	tel.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now()); err != nil {
			t.Error(err)
		}
	})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if !w.set {
		t.Error("the deadline was not set")
	}
}

func TestMiddleware_AbortedResponse_IsNoPanicInTheLog(t *testing.T) {
	tel, log := observed()
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("panicked with %v", p)
		}
		if got := log.String(); strings.Contains(got, "panic") || strings.Count(got, `"msg":"call"`) != 1 {
			t.Errorf("log: %s", got)
		}
	}()
	tel.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}

// The gateway's call is the request's: one line, and one count of each kind.
func TestMiddleware_CallWithinTheRequest_IsCountedOnce(t *testing.T) {
	tel, log := observed()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(RequestIDHeader, "mine")
	tel.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx, end := tel.Start(r.Context(), exchange.Operation{Kind: exchange.RESTRequest, Method: method})
		if got := scrape(tel); !strings.Contains(got, `digate_calls_started_total{method="t.S/Do",protocol="rest"} 1`) {
			t.Error("the call is not counted as begun")
		}
		end(exchange.FromContext(ctx), unary(ctx, tel, nil, nil))
	})).ServeHTTP(w, r)
	if got := w.Header().Get(RequestIDHeader); got != "mine" {
		t.Errorf("the response has the id %q", got)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 {
		t.Errorf("log: %s", got)
	}
	wants(t, log.String(), `"x_request_id":"mine"`, `"protocol":"rest","method":"t.S/Do","code":"OK"`)
	wants(t, scrape(tel), `digate_calls_started_total{method="t.S/Do",protocol="rest"} 1`,
		`digate_calls_total{code="OK",method="t.S/Do",outcome="DONE",protocol="rest"} 1`)
}

// headers is a stream that keeps its header and trailer.
type headers struct {
	grpc.ServerStream
	ctx          context.Context
	got, trailer metadata.MD
}

func (h *headers) SetHeader(md metadata.MD) error { h.got = metadata.Join(h.got, md); return nil }

func (h *headers) SetTrailer(md metadata.MD) { h.trailer = metadata.Join(h.trailer, md) }

func (h *headers) SendMsg(any) error { return nil }

func (h *headers) Context() context.Context { return h.ctx }

// A client repeats a call by itself only if its failure comes without a header.
func TestInterceptors_CallersID_IsInTheHeaderOfASuccessAndInTheTrailerOfAFailure(t *testing.T) {
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(requestIDKey, "mine"))
	tel, log := observed()
	failure := apierror.UnknownMethod()
	calls := 0
	for name, c := range map[string]struct {
		messages int
		err      error
		inHeader bool
	}{
		"success":                 {1, nil, true},
		"failure":                 {0, failure, false},
		"success without message": {0, nil, false},
		"failure after a message": {2, failure, true},
	} {
		stream := &headers{ctx: ctx}
		_ = tel.StreamInterceptor(nil, stream, &grpc.StreamServerInfo{FullMethod: method}, func(_ any, ss grpc.ServerStream) error {
			if len(stream.got) > 0 {
				t.Errorf("%s: the header is set before the first message", name)
			}
			for range c.messages {
				_ = ss.SendMsg(nil)
			}
			return c.err
		})
		seen := map[string]*headers{"stream": stream}
		if name == "success" || name == "failure" {
			seen["unary"] = new(headers)
			_ = unary(grpc.NewContextWithServerTransportStream(ctx, serverTransport{seen["unary"]}), tel, nil, c.err)
		}
		for kind, h := range seen {
			calls++
			with, without := h.trailer, h.got
			if c.inHeader {
				with, without = without, with
			}
			if got := with.Get(requestIDKey); len(got) != 1 || got[0] != "mine" || len(without) != 0 {
				t.Errorf("%s, %s: header %v, trailer %v", name, kind, h.got, h.trailer)
			}
		}
	}
	if got := strings.Count(log.String(), `"x_request_id":"mine"`); got != calls {
		t.Errorf("%d lines of %d calls: %s", got, calls, log)
	}
}

// serverTransport keeps the headers of a unary call.
type serverTransport struct{ *headers }

func (s serverTransport) Method() string                  { return method }
func (s serverTransport) SendHeader(md metadata.MD) error { return s.SetHeader(md) }
func (s serverTransport) SetTrailer(md metadata.MD) error { s.headers.SetTrailer(md); return nil }

func TestStreamInterceptor_Panic_IsAnErrorThatQuotesNothing(t *testing.T) {
	tel, log := observed()
	err := tel.StreamInterceptor(nil, &headers{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: method},
		func(_ any, ss grpc.ServerStream) error {
			if exchange.FromContext(ss.Context()) == nil {
				t.Error("the stream has no exchange")
			}
			panic("hunter2")
		})
	if e := apierror.FromError(err); e.Reason != apierror.ReasonInternalError || e.Outcome != exchange.NotSent {
		t.Errorf("got %v", err)
	}
	wants(t, log.String(), `"msg":"panic"`, `"level":"ERROR","msg":"call"`)
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("log: %s", log)
	}
}

func TestCall_Level_IsHigherTheLessIsKnown(t *testing.T) {
	for level, err := range map[string]error{
		"INFO":  apierror.RouteNotFound(),
		"WARN":  apierror.Draining(),
		"ERROR": apierror.Internal(errors.New("oh"), exchange.NotSent),
	} {
		tel, log := observed()
		_ = unary(t.Context(), tel, nil, err)
		wants(t, log.String(), `"level":"`+level+`","msg":"call"`)
	}
	tel, log := observed()
	_ = unary(t.Context(), tel, nil, &apierror.Error{Code: codes.Unknown, Outcome: exchange.Unknown})
	wants(t, log.String(), `"level":"WARN","msg":"call"`)
}

// The text of another cause may be Diga's.
func TestCall_CauseOfAnError_IsTheLedgersAloneAndBounded(t *testing.T) {
	tel, log := observed()
	_ = unary(t.Context(), tel, nil, apierror.Internal(errors.New("hunter2"), exchange.NotSent))
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("log: %s", log)
	}
	tel, log = observed()
	_ = unary(t.Context(), tel, nil, apierror.LedgerUnavailable(errors.New(strings.Repeat("é", maxCause))))
	wants(t, log.String(), `"cause":"`+strings.Repeat("é", maxCause/2)+`…"`)
}

func TestCall_RefusedCredential_IsLoggedWithWhatWasWrong(t *testing.T) {
	tel, log := observed()
	_ = unary(t.Context(), tel, nil, apierror.InvalidCredential("the token is expired"))
	_ = unary(t.Context(), tel, nil, apierror.MissingCredential("a bearer token is required"))
	_ = unary(t.Context(), tel, nil, &apierror.Error{
		Code: codes.Unauthenticated, Reason: apierror.ReasonInvalidCredential, Domain: apierror.DomainDiga, Message: "hunter2",
	})
	wants(t, log.String(), `"cause":"the token is expired"`, `"cause":"a bearer token is required"`)
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("log: %s", log)
	}
}

func TestCall_Exchange_IsInItsMetricsAndItsDriftIsLogged(t *testing.T) {
	attempts := func(ex *exchange.Exchange) {
		ex.Attempts = []exchange.Attempt{{Status: 503, Outcome: exchange.Rejected}, {Outcome: exchange.NotSent}, {Status: 201, Outcome: exchange.Done}}
		ex.Drift = []exchange.Drift{{Path: []string{"f"}, Kind: "missing"}}
	}
	call, callLog := observed()
	_ = unary(t.Context(), call, attempts, nil)
	operation, operationLog := observed()
	_, end := operation.Start(t.Context(), exchange.Operation{Kind: exchange.BulkItem, Method: method})
	ex := new(exchange.Exchange)
	attempts(ex)
	end(ex, nil)
	for name, text := range map[string]string{"call": scrape(call), "operation": scrape(operation)} {
		t.Run(name, func(t *testing.T) {
			wants(t, text,
				`digate_upstream_requests_total{method="t.S/Do",outcome="REJECTED",status="503"} 1`,
				`digate_upstream_requests_total{method="t.S/Do",outcome="NOT_SENT",status="none"} 1`,
				`digate_upstream_retries_total{after="REJECTED",method="t.S/Do"} 1`,
				`digate_upstream_retries_total{after="NOT_SENT",method="t.S/Do"} 1`,
				`digate_upstream_request_duration_seconds_count{method="t.S/Do"} 3`,
				`digate_upstream_drift_total{kind="f: missing"} 1`)
		})
	}
	wants(t, callLog.String(), `"drift":"f: missing"`, `"each":"503 REJECTED 0.0, none NOT_SENT 0.0, 201 DONE 0.0"`)
	wants(t, operationLog.String(), `"drift":"f: missing"`)
}

func TestDrift_SameKindAgain_IsCountedAlwaysAndLoggedOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel, log := observed()
		drift := func(ex *exchange.Exchange) {
			ex.Drift = []exchange.Drift{{Path: []string{"f"}, Kind: "missing"}}
		}
		for range 3 {
			_ = unary(t.Context(), tel, drift, nil)
			_ = unary(t.Context(), tel, drift, nil)
			time.Sleep(driftEvery - time.Second)
		}
		if got := strings.Count(log.String(), `"drift"`); got != 2 {
			t.Errorf("%d lines: %s", got, log)
		}
		wants(t, scrape(tel), `digate_upstream_drift_total{kind="f: missing"} 6`)
	})
}

func TestOperation_Level_IsDebugUnlessTheOutcomeIsUnknown(t *testing.T) {
	for want, err := range map[string]error{
		"":      apierror.Draining(),
		"WARN":  apierror.ResponseLost(errors.New("lost"), true),
		"ERROR": apierror.Internal(errors.New("oh"), exchange.NotSent),
	} {
		tel, log := observed()
		_, end := tel.Start(t.Context(), exchange.Operation{Kind: exchange.BulkItem, Method: method})
		end(nil, err)
		if want == "" {
			if log.Len() > 0 {
				t.Errorf("log: %s", log)
			}
			continue
		}
		wants(t, log.String(), `"level":"`+want+`","msg":"operation"`)
	}
}
