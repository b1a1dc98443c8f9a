package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/tracing"
)

// Tracing is the configuration of traces.
type Tracing struct {
	// Provider creates the spans.
	Provider trace.TracerProvider
	// Incoming means that a call continues the trace of its caller.
	Incoming bool
	// Routes are the path templates of the REST routes, by the full gRPC name of the
	// method.
	Routes map[string]string
}

// tracer creates a span for each call, and for each operation of a sampled call. The zero
// tracer creates none.
type tracer struct {
	trace.Tracer
	incoming bool
	routes   map[string]string
}

// Trace enables the spans of calls. It may be called once, before the first call.
//
// A call to the health or reflection service has no span, and neither has a request that
// was refused before its caller was known: anybody can send any number of these.
func (t *Telemetry) Trace(with Tracing) {
	t.tracer = tracer{with.Provider.Tracer(tracing.Scope), with.Incoming, with.Routes}
}

var serverSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}

// The headers of W3C Trace Context. In metadata they are in lower case.
const (
	headerTraceparent = "Traceparent"
	headerTracestate  = "Tracestate"
	keyTraceparent    = "traceparent"
	keyTracestate     = "tracestate"
)

// The maximum sizes of these headers, in bytes. Version 00 of a traceparent has 55.
const (
	maxTraceparent = 128
	maxTracestate  = 512
)

// callersSpan is the span of a caller, as its headers describe it.
type callersSpan struct{ parent, state string }

// Get implements [propagation.TextMapCarrier].
func (c callersSpan) Get(key string) string {
	switch key {
	case keyTraceparent:
		return c.parent
	case keyTracestate:
		return c.state
	default:
		return ""
	}
}

// Set implements [propagation.TextMapCarrier].
func (callersSpan) Set(string, string) {}

// Keys implements [propagation.TextMapCarrier].
func (callersSpan) Keys() []string { return nil }

// below returns a context with the span that a caller names as its parent. It ignores a
// traceparent that is repeated or malformed, and a tracestate that is too long.
func (t *tracer) below(ctx context.Context, parents, states []string) context.Context {
	if !t.incoming || len(parents) != 1 || len(parents[0]) > maxTraceparent {
		return ctx
	}
	of := callersSpan{parent: parents[0], state: strings.Join(states, ",")}
	if len(of.state) > maxTracestate {
		of.state = ""
	}
	return propagation.TraceContext{}.Extract(ctx, of)
}

// traceRPC starts the span of a gRPC call.
func (t *Telemetry) traceRPC(ctx context.Context, c *call) context.Context {
	if t.tracer.Tracer == nil || c.subject == ofAnybody {
		return ctx
	}
	ctx = t.tracer.below(ctx, metadata.ValueFromIncomingContext(ctx, keyTraceparent), metadata.ValueFromIncomingContext(ctx, keyTracestate))
	c.callersTrace = trace.SpanContextFromContext(ctx).IsValid()
	ctx, c.span = t.tracer.Start(ctx, c.method, serverSpan...)
	return ctx
}

// traceREST starts the span of a REST request for a method, whose caller is known. For a
// call of another protocol, it starts the span of an RPC.
func (t *Telemetry) traceREST(ctx context.Context, c *call, method string) context.Context {
	route, rpc := t.tracer.routes[method], c.protocol != protocolREST && c.method != other
	if t.tracer.Tracer == nil || route == "" && !rpc || authn.FromContext(ctx) == nil {
		return ctx
	}
	ctx = t.tracer.below(ctx, c.request.Header[headerTraceparent], c.request.Header[headerTracestate])
	c.callersTrace = trace.SpanContextFromContext(ctx).IsValid()
	if rpc {
		ctx, c.span = t.tracer.Start(ctx, c.method, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(c.began))
		return ctx
	}
	ctx, c.span = t.tracer.Start(ctx, c.request.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(c.began))
	if c.span.IsRecording() {
		c.span.SetAttributes(semconv.HTTPRequestMethodKey.String(c.request.Method), semconv.HTTPRoute(route), scheme(c.request))
	}
	return ctx
}

func scheme(r *http.Request) attribute.KeyValue {
	if r.TLS != nil {
		return semconv.URLScheme("https")
	}
	return semconv.URLScheme("http")
}

// traceOperation starts the span of an operation, unless its call is not sampled. A copy
// of a bulk stream starts a trace of its own with a link to the stream's span, because a
// stream may have millions of copies and take hours. A detached call already has its
// span.
func (t *Telemetry) traceOperation(ctx context.Context, op exchange.Operation) (context.Context, trace.Span) {
	switch op.Kind {
	case exchange.BulkItem:
		stream := trace.SpanContextFromContext(ctx)
		if t.tracer.Tracer == nil || !stream.IsSampled() {
			return ctx, nil
		}
		return t.tracer.Start(ctx, spanNames[op.Kind], trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: stream}))
	case exchange.InnerRead, exchange.Rename:
		return tracing.Start(ctx, spanNames[op.Kind], trace.SpanKindInternal)
	default:
		return ctx, nil
	}
}

// spanNames are the names of the spans of operations.
var spanNames = map[exchange.Kind]string{
	exchange.BulkItem:  "bulk item",
	exchange.InnerRead: "inner read",
	exchange.Rename:    "rename",
}

// spanContext returns the ids of the span or, if it is nil, of the span in the context.
// At the end of a REST request, the context is the one from before its span.
func (t *tracer) spanContext(ctx context.Context, span trace.Span) trace.SpanContext {
	switch {
	case t.Tracer == nil:
		return trace.SpanContext{}
	case span != nil:
		return span.SpanContext()
	default:
		return trace.SpanContextFromContext(ctx)
	}
}

// endSpan ends the span of a call with the result of the call.
func (c *call) endSpan(span trace.Span) {
	if span == nil {
		return
	}
	if span.IsRecording() {
		c.describe(span)
	}
	span.End()
}

func (c *call) describe(span trace.Span) {
	attrs := make([]attribute.KeyValue, 0, 16)
	attrs = append(attrs, tracing.Method.String(c.method))
	if c.outcome != exchange.None {
		attrs = append(attrs, tracing.Outcome.String(c.outcome.String()))
	}
	switch c.protocol {
	case "": // an operation
	case protocolREST:
		attrs = append(attrs, semconv.HTTPResponseStatusCode(c.httpStat))
	default:
		system := semconv.RPCSystemNameGRPC
		if c.protocol == string(exchange.Connect) {
			system = semconv.RPCSystemNameConnectrpc
		}
		attrs = append(attrs, system, semconv.RPCMethod(c.method), semconv.RPCResponseStatusCode(codeName(c.code)))
	}
	if c.by != nil {
		attrs = append(attrs, tracing.Account.String(c.by.Account), tracing.Caller.String(c.by.Caller))
	}
	if c.reason != "" {
		attrs = append(attrs, tracing.Reason.String(c.reason))
	}
	if ex := c.exchange; ex != nil {
		attrs = append(attrs, tracing.Attempts.Int(len(ex.Attempts)))
		if ex.LedgerRecord != "" {
			attrs = append(attrs, tracing.LedgerRecord.String(ex.LedgerRecord), tracing.Replayed.Bool(ex.Replayed))
		}
		if n := ex.Items; n != nil {
			attrs = append(attrs, tracing.Items.Int64(n.Total), tracing.ItemsUnknown.Int64(n.Unknown))
		}
	}
	span.SetAttributes(attrs...)
	switch {
	case c.protocol == protocolREST:
		if c.httpStat >= http.StatusInternalServerError {
			tracing.Fail(span, strconv.Itoa(c.httpStat))
		}
	case isServers(c.code):
		tracing.Fail(span, codeName(c.code))
	}
}

// isServers reports whether OpenTelemetry counts a code as an error of the server and not
// of the caller.
func isServers(code codes.Code) bool {
	switch code {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	default:
		return false
	}
}

// withSpan appends the ids that connect a line with its trace.
func (c *call) withSpan(attrs []slog.Attr) []slog.Attr {
	trace, span := c.traceIDs()
	if trace != "" {
		attrs = append(attrs, slog.String("trace_id", trace))
	}
	if span != "" {
		attrs = append(attrs, slog.String("span_id", span))
	}
	return attrs
}

// traceIDs returns the ids of the call's trace and span that can be found in a collector:
// both for a sampled call, and only the trace for a call whose caller named the trace.
// All other ids are in no collector.
func (c *call) traceIDs() (trace, span string) {
	if c.span == nil {
		return "", ""
	}
	of := c.span.SpanContext()
	if of.IsSampled() {
		span = of.SpanID().String()
	}
	if of.IsSampled() || c.callersTrace {
		trace = of.TraceID().String()
	}
	return trace, span
}
