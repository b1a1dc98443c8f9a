package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/tap"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

const method = "/t.S/Do"

func observed() (*Telemetry, *bytes.Buffer) {
	var log bytes.Buffer
	return New(slog.New(slog.NewJSONHandler(&log, nil)), []string{method}, time.Minute), &log
}

func TestRequestID_OnlyOnePlainValue_IsTaken(t *testing.T) {
	for _, good := range []string{"a", "A-1_b.c", strings.Repeat("x", 64)} {
		if got := requestID([]string{good}); got != good {
			t.Errorf("%q became %q", good, got)
		}
	}
	seen := make(map[string]bool)
	for _, bad := range [][]string{nil, {}, {""}, {"a", "b"}, {"a b"}, {"a\nb"}, {"é"}, {`a"b`}, {strings.Repeat("x", 65)}} {
		got := requestID(bad)
		if !plainID(got) || seen[got] {
			t.Errorf("%q became %q", bad, got)
		}
		seen[got] = true
	}
}

func TestUnaryInterceptor_Panic_IsAnErrorThatQuotesNothing(t *testing.T) {
	for attempts, want := range map[int]exchange.Outcome{0: exchange.NotSent, 1: exchange.Unknown} {
		tel, log := observed()
		_, err := tel.UnaryInterceptor(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: method}, func(ctx context.Context, _ any) (any, error) {
			exchange.FromContext(ctx).Attempts = make([]exchange.Attempt, attempts)
			panic("hunter2")
		})
		var e *apierror.Error
		if !errors.As(err, &e) || e.Code != codes.Internal && e.Code != codes.Unknown || e.Outcome != want {
			t.Errorf("after %d attempts: %v, want %v", attempts, err, want)
		}
		if strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), `"msg":"panic"`) || !strings.Contains(log.String(), `"msg":"call"`) {
			t.Errorf("log: %s", log)
		}
	}
}

func TestMiddleware_Panic_HasDigasShape(t *testing.T) {
	tel, log := observed()
	w := httptest.NewRecorder()
	tel.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("hunter2") })).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"error_code":"INTERNAL_ERROR"`) || w.Header().Get("Digate-Outcome") != "NOT_SENT" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if strings.Contains(log.String(), "hunter2") || strings.Count(log.String(), `"msg":"call"`) != 1 {
		t.Errorf("log: %s", log)
	}
}

func TestMiddleware_PanicAfterTheResponseBegan_CutsTheConnection(t *testing.T) {
	tel, _ := observed()
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("panicked with %v", p)
		}
	}()
	tel.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		panic("hunter2")
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}

func TestTapHandle_RefusedCall_HasItsLineAndAMetricOfAKnownName(t *testing.T) {
	tel, log := observed()
	tapped := tel.TapHandle(func(context.Context, *tap.Info) (context.Context, error) {
		return nil, apierror.MissingCredential("none")
	})
	for _, name := range []string{method, "/made/up-by-a-client"} {
		if _, err := tapped(t.Context(), &tap.Info{FullMethodName: name, Header: metadata.MD{}}); err == nil {
			t.Error("not refused")
		}
	}
	if got := strings.Count(log.String(), `"code":"UNAUTHENTICATED"`); got != 2 {
		t.Errorf("%d lines: %s", got, log)
	}
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if !strings.Contains(w.Body.String(), `method="other"`) || strings.Contains(w.Body.String(), "made") {
		t.Error("a method's name of a client's making is a label")
	}
}

func TestDrift_KindsWithoutEnd_AreBounded(t *testing.T) {
	tel, log := observed()
	for i := range 10 * maxDrift {
		tel.noteDrift(t.Context(), &call{method: method, exchange: &exchange.Exchange{Drift: []exchange.Drift{{Path: []string{fmt.Sprintf("f%d", i)}, Kind: "unknown_field"}}}})
	}
	if got := strings.Count(log.String(), "\n"); got != maxDrift {
		t.Errorf("%d lines, want %d", got, maxDrift)
	}
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := strings.Count(w.Body.String(), "digate_upstream_drift_total{"); got != maxDrift+1 {
		t.Errorf("%d series, want %d and one for the rest", got, maxDrift)
	}
}

func TestTapHandle_RefusedForTheLedger_TellsTheCause(t *testing.T) {
	tel, log := observed()
	tapped := tel.TapHandle(func(context.Context, *tap.Info) (context.Context, error) {
		return nil, apierror.LedgerUnavailable(errors.New("the disk is full"))
	})
	if _, err := tapped(t.Context(), &tap.Info{FullMethodName: method, Header: metadata.MD{}}); err == nil {
		t.Error("not refused")
	}
	if !strings.Contains(log.String(), `"cause":"the disk is full"`) {
		t.Errorf("log: %s", log)
	}
}

func TestStart_OperationsLine_TellsTheTimeThatItTook(t *testing.T) {
	for name, began := range map[string]time.Duration{"begun now": 0, "begun before": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tel, log := observed()
				op := exchange.Operation{Kind: exchange.DetachedCall, Method: method}
				if began > 0 {
					op.Began = time.Now().Add(-began)
				}
				_, end := tel.Start(t.Context(), op)
				time.Sleep(time.Second)
				end(&exchange.Exchange{}, apierror.ResponseLost(errors.New("lost"), true))
				if want := fmt.Sprintf(`"duration_us":%d,`, (time.Second + began).Microseconds()); !strings.Contains(log.String(), want) {
					t.Errorf("want %s in %s", want, log)
				}
			})
		})
	}
}

// The failures that the REST side comes to by itself are in the call's line.
func TestStart_RESTRequest_EndsInTheLineOfItsCall(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		err    error
		want   string
	}{
		"refused":       {method, apierror.RequestTooLarge(1), `"method":"t.S/Do","code":"RESOURCE_EXHAUSTED","outcome":"NOT_SENT"`},
		"without route": {"", apierror.RouteNotFound(), `"method":"other","code":"NOT_FOUND","outcome":"NOT_SENT"`},
		"made up":       {"/made/up", apierror.RouteNotFound(), `"method":"other","code":"NOT_FOUND","outcome":"NOT_SENT"`},
		"success":       {method, nil, `"method":"t.S/Do","code":"OK","outcome":"DONE"`},
	} {
		t.Run(name, func(t *testing.T) {
			tel, log := observed()
			tel.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, end := tel.Start(r.Context(), exchange.Operation{Kind: exchange.RESTRequest, Method: c.method})
				end(exchange.FromContext(r.Context()), c.err)
			})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			if got := log.String(); !strings.Contains(got, `"protocol":"rest",`+c.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("want %s in %s", c.want, got)
			}
		})
	}
}

// A REST request within which a copy goes on is not the copy's call.
func TestStart_OperationWithinARESTRequest_LeavesTheRequestsCallAlone(t *testing.T) {
	tel, log := observed()
	tel.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, end := tel.Start(r.Context(), exchange.Operation{Kind: exchange.BulkItem, Method: method})
		end(nil, apierror.ResponseLost(errors.New("lost"), true))
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if got := log.String(); !strings.Contains(got, `"msg":"operation","kind":"bulk_item"`) || !strings.Contains(got, `"msg":"call","protocol":"rest","method":"other","code":"OK"`) {
		t.Errorf("log: %s", got)
	}
}

func TestStart_DriftOfAnOperation_IsCounted(t *testing.T) {
	tel, log := observed()
	_, end := tel.Start(t.Context(), exchange.Operation{Kind: exchange.BulkItem, Method: method})
	end(&exchange.Exchange{Drift: []exchange.Drift{{Path: []string{"f"}, Kind: "unknown_field"}}}, nil)
	if !strings.Contains(log.String(), `"drift":"f: unknown_field"`) {
		t.Errorf("log: %s", log)
	}
}
