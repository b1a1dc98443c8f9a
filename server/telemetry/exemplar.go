package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// exemplar links a value in a histogram to its trace. It may be nil.
type exemplar prometheus.Labels

// exemplarOf returns the exemplar of a span. It is nil unless the span is sampled,
// because the trace could not be found otherwise.
func exemplarOf(span trace.SpanContext) exemplar {
	if !span.IsSampled() || !span.HasTraceID() {
		return nil
	}
	return exemplar{"trace_id": span.TraceID().String()}
}

// observe adds a value to a histogram.
func (e exemplar) observe(to prometheus.Observer, value float64) {
	if h, ok := to.(prometheus.ExemplarObserver); ok && e != nil {
		h.ObserveWithExemplar(value, prometheus.Labels(e))
		return
	}
	to.Observe(value)
}
