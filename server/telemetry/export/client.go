package export

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// maxResponse bounds what is taken of a collector's response, in bytes. A response holds
// no more than a number and a few words.
const maxResponse = 64 << 10

// userAgent is sent to collectors.
const userAgent = "digate"

// signal is one of the two kinds of data.
type signal struct {
	path, method string
}

var (
	signalTraces  = signal{"/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"}
	signalMetrics = signal{"/v1/metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"}
)

// client sends requests to a collector.
type client interface {
	// once sends a request and fills in the response. The error is a [*refusal] where the
	// collector may take the same request later.
	once(ctx context.Context, request, response proto.Message) error
	close()
}

// newClient returns the client of a target.
func newClient(t Target, of signal) client {
	if t.GRPC {
		return newGRPCClient(t, of)
	}
	return newHTTPClient(t, of)
}

// refusal is a failure that may pass.
type refusal struct {
	words string
	after time.Duration // how long the collector wants to be left alone
}

// Error returns fixed words: what the collector said is not in it.
func (r *refusal) Error() string { return r.words }

// failure is a failure that stays, in fixed words.
type failure string

// Error returns the words.
func (f failure) Error() string { return string(f) }

// describe returns a few fixed words about an error. Others may quote the collector, or
// the URL with its credential.
func describe(err error) string {
	var r *refusal
	var f failure
	var p *partial
	switch {
	case errors.As(err, &r):
		return r.words
	case errors.As(err, &f):
		return string(f)
	case errors.As(err, &p):
		return "it refused some of them"
	default:
		return "it cannot be reached"
	}
}

// The waits between two tries, which double.
const (
	firstWait = time.Second
	lastWait  = 10 * time.Second
)

// send sends a request, again while the failure may pass and the context has time.
func send(ctx context.Context, c client, request, response proto.Message) error {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		err := c.once(ctx, request, response)
		later, ok := errors.AsType[*refusal](err)
		if !ok {
			return err
		}
		pause := max(later.after, wait/2+rand.N(wait/2))
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// partial is the failure of some spans of a batch.
type partial struct{ refused int64 }

// Error says how it is.
func (*partial) Error() string { return "some were refused" }

// took returns how many of n spans the collector did not take.
func took(n int, err error) (refused int, _ error) {
	if p, ok := errors.AsType[*partial](err); ok {
		return int(min(max(p.refused, 0), int64(n))), err
	}
	if err != nil {
		return n, err
	}
	return 0, nil
}

// uploader sends spans. It implements [otlptrace.Client].
type uploader struct{ client }

var _ otlptrace.Client = uploader{}

// Start implements [otlptrace.Client].
func (uploader) Start(context.Context) error { return nil }

// Stop implements [otlptrace.Client].
func (uploader) Stop(context.Context) error { return nil }

// UploadTraces implements [otlptrace.Client].
func (u uploader) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	var response collectortrace.ExportTraceServiceResponse
	if err := send(ctx, u.client, &collectortrace.ExportTraceServiceRequest{ResourceSpans: spans}, &response); err != nil {
		return err
	}
	if n := response.GetPartialSuccess().GetRejectedSpans(); n != 0 {
		return &partial{n}
	}
	return nil
}
