package copies_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/digate/digate/server/exchange"
)

// Whoever looks at a call that waited finds the call that was sent, though it is in
// another trace.
func TestTrace_CallThatWaitsForTheSame_IsLinkedToIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		recorder := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.AlwaysSample()))
		up := new(fakeUpstream)
		up.after = func(context.Context, int) error { time.Sleep(time.Second); return nil }
		s := newReplica(t, up, newLedger(t))
		done := make(chan result, 2)
		for range 2 {
			ctx, root := provider.Tracer("caller").Start(t.Context(), "call")
			defer root.End()
			go func() { done <- copyAs(ctx, s, "r", "n") }()
			synctest.Wait() // the first is sent before the second comes
		}
		for range 2 {
			(<-done).want(t, "id-0", "", exchange.None)
		}
		ended := make(map[string][]sdktrace.ReadOnlySpan)
		for _, span := range recorder.Ended() {
			ended[span.Name()] = append(ended[span.Name()], span)
		}
		sent, waited := ended["call with a request id"], ended["wait for the same call"]
		if len(sent) != 1 || len(waited) != 1 {
			t.Fatalf("%d calls were sent, and %d waited", len(sent), len(waited))
		}
		links := waited[0].Links()
		if len(links) != 1 || !links[0].SpanContext.Equal(sent[0].SpanContext()) {
			t.Errorf("the wait has the links %v, want one to %v", links, sent[0].SpanContext())
		}
		if waited[0].SpanContext().TraceID() == sent[0].SpanContext().TraceID() {
			t.Error("both are in one trace")
		}
		if took := waited[0].EndTime().Sub(waited[0].StartTime()); took != time.Second {
			t.Errorf("it waited for %v", took)
		}
	})
}
