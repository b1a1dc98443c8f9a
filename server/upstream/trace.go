package upstream

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/tracing"
	"github.com/digate/digate/server/upstream/wire"
)

// headerTraceparent is the traceparent header of W3C Trace Context. Diga gets it only if
// the settings enable that. tracestate is never sent, because its content is up to the
// caller.
const headerTraceparent = "Traceparent"

// startSpan starts the span of an HTTP exchange. The span contains neither the URL, which
// has ids, nor any data of request or response.
func (c *call) startSpan(ctx context.Context, req *wire.Request) (context.Context, trace.Span) {
	ctx, span := tracing.Start(ctx, c.rule.span, trace.SpanKindClient)
	if span.IsRecording() {
		span.SetAttributes(semconv.HTTPRequestMethodKey.String(req.Verb), semconv.URLTemplate(c.rule.template),
			semconv.ServerAddress(c.client.hostname), semconv.ServerPort(c.client.port))
		if c.sent > 0 {
			span.SetAttributes(semconv.HTTPRequestResendCount(c.sent))
		}
	}
	if c.client.traceContext {
		setTraceparent(req, trace.SpanContextFromContext(ctx))
	}
	c.sent++
	return ctx, span
}

// setTraceparent sets the header to the span that sends the request, if there is one.
func setTraceparent(r *wire.Request, of trace.SpanContext) {
	if !of.IsValid() {
		return
	}
	sampled := of.TraceFlags() & trace.FlagsSampled
	at, _ := slices.BinarySearchFunc(r.Header, headerTraceparent, func(f wire.Field, name string) int { return strings.Compare(f.Name, name) })
	r.Header = slices.Insert(r.Header, at, wire.Field{
		Name: headerTraceparent, Value: "00-" + of.TraceID().String() + "-" + of.SpanID().String() + "-" + sampled.String(),
	})
}

// endSpan ends the span of an exchange with the call's error.
func (c *call) endSpan(span trace.Span, err error) {
	if span.IsRecording() {
		a := &c.ex.Attempts[len(c.ex.Attempts)-1]
		span.SetAttributes(tracing.Outcome.String(a.Outcome.String()))
		if a.Status != 0 {
			span.SetAttributes(semconv.HTTPResponseStatusCode(a.Status))
		}
		e, failed := errors.AsType[*apierror.Error](err)
		switch {
		case a.Status >= 400:
			tracing.Fail(span, strconv.Itoa(a.Status))
		case failed:
			tracing.Fail(span, e.Reason)
		}
	}
	span.End()
}
