// Package export sends spans and metrics to a collector by OTLP, as the OTEL_* variables
// of OpenTelemetry say. Nothing of it touches a call: spans go into a queue that has a
// bound, and those that find no room are counted and lost.
package export

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// lastFlush is how long the end of an export waits for the collector.
const lastFlush = 5 * time.Second

// Config is what an export needs.
type Config struct {
	Settings
	// Version is that of digate.
	Version string
	// Metrics are what is sent of metrics.
	Metrics prometheus.Gatherer
	Log     *slog.Logger
}

// Export sends spans, metrics or both until it is closed.
type Export struct {
	queue    *queue // nil without traces
	provider *sdktrace.TracerProvider
	incoming bool
	push     *push // nil without metrics
	counts   counts
	clients  []client
}

// counts are what came of spans and of pushes of metrics.
type counts struct {
	exported, full, failed atomic.Uint64
	pushed, pushFailed     atomic.Uint64
}

// New returns an export that has begun, or nil if the settings ask for none.
func New(cfg Config) *Export {
	if cfg.Traces == nil && cfg.MetricsTo == nil {
		return nil
	}
	e := new(Export)
	of := cfg.resource(cfg.Version)
	if t := cfg.Traces; t != nil {
		to := newClient(t.Target, signalTraces)
		e.clients = append(e.clients, to)
		e.queue = newQueue(t, otlptrace.NewUnstarted(uploader{to}), &e.counts, cfg.Log)
		e.provider = sdktrace.NewTracerProvider(sdktrace.WithResource(of), sdktrace.WithSampler(withLinked{t.Sampler}), sdktrace.WithSpanProcessor(e.queue))
		e.incoming = t.Incoming
	}
	if m := cfg.MetricsTo; m != nil {
		to := newClient(m.Target, signalMetrics)
		e.clients = append(e.clients, to)
		e.push = newPush(m, of, cfg.Metrics, to, &e.counts, cfg.Log)
	}
	return e
}

// Tracer returns what makes the spans, nil without traces, and reports whether calls take
// part in the traces of their callers.
func (e *Export) Tracer() (_ trace.TracerProvider, incoming bool) {
	if e.provider == nil {
		return nil, false
	}
	return e.provider, e.incoming
}

// Stats are what came of spans and of pushes of metrics so far.
type Stats struct {
	// Exported spans were taken by the collector. Full were lost because the queue had no
	// room, Failed because the collector did not take them.
	Exported, Full, Failed uint64
	// Pushed and PushFailed are pushes of metrics.
	Pushed, PushFailed uint64
}

// Stats returns the counts.
func (e *Export) Stats() Stats {
	c := &e.counts
	return Stats{c.exported.Load(), c.full.Load(), c.failed.Load(), c.pushed.Load(), c.pushFailed.Load()}
}

// Queue returns how many spans wait to be sent, and how many may: 0 without traces.
func (e *Export) Queue() (waiting, limit int) {
	if e.queue == nil {
		return 0, 0
	}
	return len(e.queue.spans), cap(e.queue.spans)
}

// Close sends what is left, for a short time at most, and ends the export.
func (e *Export) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), lastFlush)
	defer cancel()
	if e.provider != nil {
		_ = e.provider.Shutdown(ctx)
	}
	if e.push != nil {
		e.push.close(ctx)
	}
	for _, c := range e.clients {
		c.close()
	}
}
