package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// Anybody can make calls without a credential, or with a made-up one. They must not
// fill the log, and an operator must see that there were many.
func TestLog_ManyCallsByStrangers_AreSampledAndCounted(t *testing.T) {
	const calls = 1000
	for name, call := range map[string]func(*Telemetry){
		"gRPC": func(tel *Telemetry) {
			refuse := func(ctx context.Context, _ *tap.Info) (context.Context, error) {
				return ctx, apierror.MissingCredential("no credential")
			}
			_, _ = tel.TapHandle(refuse)(t.Context(), &tap.Info{FullMethodName: method})
		},
		"a made-up token": func(tel *Telemetry) {
			_ = unary(t.Context(), tel, nil, &apierror.Error{Code: codes.Unauthenticated, Outcome: exchange.Rejected})
		},
		"REST": func(tel *Telemetry) {
			tel.Middleware(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			log := new(logReader) // is locked: a line comes from a timer
			tel := New(slog.New(slog.NewJSONHandler(log, nil)), []string{method}, time.Minute)
			for range calls {
				call(tel)
			}
			if n := strings.Count(log.text(), `"msg":"call"`); n != strangerLines {
				t.Errorf("%s: %d lines of %d calls", name, n, calls)
			}
			time.Sleep(omissionPeriod)
			synctest.Wait()
			if got := log.text(); strings.Count(got, `"msg":"calls by strangers were left out of the log","calls":980`) != 1 {
				t.Errorf("%s: the log does not tell how many calls are left out: %s", name, got[len(got)-300:])
			}
			wants(t, scrape(tel), "digate_log_lines_omitted_total 980")
			call(tel)
			if n := strings.Count(log.text(), `"msg":"call"`); n != strangerLines+1 {
				t.Errorf("%s: a call of the next period has no line", name)
			}
		})
	}
}

// A load balancer asks every second, and that says nothing. Who looks for it finds it at
// DEBUG.
func TestLog_HealthPollsAndReflection_HaveNoLineAtINFO(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]int{slog.LevelInfo: 0, slog.LevelDebug: 3} {
		log := new(strings.Builder)
		tel := New(slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: level})), nil, time.Minute)
		_, _ = tel.UnaryInterceptor(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: healthv1.Health_Check_FullMethodName},
			func(context.Context, any) (any, error) { return nil, nil })
		for _, err := range []error{nil, context.Canceled} {
			_ = tel.StreamInterceptor(nil, &headers{ctx: t.Context()},
				&grpc.StreamServerInfo{FullMethod: reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName},
				func(any, grpc.ServerStream) error { return err })
		}
		if got := strings.Count(log.String(), `"msg":"call"`); got != want || strings.Contains(log.String(), "left out") {
			t.Errorf("%v: %s", level, log)
		}
		wants(t, scrape(tel), `digate_calls_total{code="OK",method="other",outcome="NOT_APPLICABLE",protocol="grpc"} 2`,
			"digate_log_lines_omitted_total 0")
	}
}

// What a call may have done at Diga is always told, and so is what digate did wrong.
func TestLog_CallsOfKnownCallersAndThoseThatMayHaveDoneSomething_AllHaveALine(t *testing.T) {
	const calls = 10 * strangerLines
	rejected := &apierror.Error{Code: codes.Unauthenticated, Outcome: exchange.Rejected}
	for name, c := range map[string]struct {
		known bool
		err   error
	}{
		"a success":                  {false, nil},
		"an unknown outcome":         {false, &apierror.Error{Code: codes.Unknown, Outcome: exchange.Unknown}},
		"an error of digate's":       {false, apierror.Internal(nil, exchange.NotSent)},
		"a known caller":             {true, rejected},
		"a known caller's early end": {true, apierror.TooManyStreams()},
	} {
		tel, log := observed()
		tel.KnowCallers(func(context.Context) bool { return c.known })
		for range calls {
			_ = unary(t.Context(), tel, nil, c.err)
			_, _ = tel.TapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) { return ctx, c.err })(t.Context(), &tap.Info{FullMethodName: method})
		}
		want := calls
		if c.err != nil {
			want += calls
		}
		if n := strings.Count(log.String(), `"msg":"call"`); n != want {
			t.Errorf("%s: %d lines of %d calls", name, n, want)
		}
	}
}

// A stranger must not raise the alert that watches for unknown outcomes.
func TestLog_CallThatAsksDigaNothing_HasNoOutcomeAndRaisesNoAlert(t *testing.T) {
	for name, err := range map[string]error{
		"an unknown service":   status.Error(codes.NotFound, "unknown service"),
		"a watcher that left":  context.Canceled,
		"a watch in the drain": status.Error(codes.Unavailable, "the server is shutting down"),
	} {
		log := new(strings.Builder)
		tel := New(slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), nil, time.Minute)
		_ = tel.StreamInterceptor(nil, &headers{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: healthv1.Health_Watch_FullMethodName},
			func(any, grpc.ServerStream) error { return err })
		got := log.String()
		if !strings.Contains(got, `"level":"DEBUG"`) || !strings.Contains(got, `"outcome":"NOT_APPLICABLE"`) || strings.Contains(got, "reason") {
			t.Errorf("%s: %s", name, got)
		}
		if strings.Contains(scrape(tel), `outcome="UNKNOWN"`) {
			t.Errorf("%s: counted as unknown", name)
		}
	}
}
