package export

import (
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// withLinked samples what is linked to a span that is sampled, and leaves all else to
// another sampler. A copy of a bulk stream begins a trace of its own, which is linked to
// the stream's span: the decision about the stream is that about its copies.
type withLinked struct{ sdktrace.Sampler }

// ShouldSample implements [sdktrace.Sampler].
func (s withLinked) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if len(p.Links) == 1 && p.Links[0].SpanContext.IsSampled() {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
	}
	return s.Sampler.ShouldSample(p)
}
