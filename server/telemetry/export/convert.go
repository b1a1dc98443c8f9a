package export

import (
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
)

func text(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func scope(name string) *commonpb.InstrumentationScope {
	return &commonpb.InstrumentationScope{Name: name}
}

// keyValues returns the attributes of a resource, which are texts.
func keyValues(of *resource.Resource) (all []*commonpb.KeyValue) {
	for _, a := range of.Attributes() {
		all = append(all, &commonpb.KeyValue{Key: string(a.Key), Value: text(a.Value.AsString())})
	}
	return all
}

// converted returns the metrics of the scrape as OTLP has them: under the same names, and
// cumulative since the process began. Exemplars are those since the last time.
func converted(families []*dto.MetricFamily, began, last, now time.Time) (all []*metricspb.Metric) {
	at := span{uint64(began.UnixNano()), uint64(last.UnixNano()), uint64(now.UnixNano())}
	for _, f := range families {
		m := &metricspb.Metric{Name: f.GetName(), Description: f.GetHelp(), Unit: f.GetUnit()}
		switch f.GetType() {
		case dto.MetricType_COUNTER:
			m.Data = &metricspb.Metric_Sum{Sum: &metricspb.Sum{
				AggregationTemporality: metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE, IsMonotonic: true,
				DataPoints: at.numbers(f, func(m *dto.Metric) float64 { return m.GetCounter().GetValue() }),
			}}
		case dto.MetricType_GAUGE:
			m.Data = &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{
				DataPoints: at.numbers(f, func(m *dto.Metric) float64 { return m.GetGauge().GetValue() }),
			}}
		case dto.MetricType_UNTYPED:
			m.Data = &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{
				DataPoints: at.numbers(f, func(m *dto.Metric) float64 { return m.GetUntyped().GetValue() }),
			}}
		case dto.MetricType_HISTOGRAM:
			m.Data = &metricspb.Metric_Histogram{Histogram: &metricspb.Histogram{
				AggregationTemporality: metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE, DataPoints: at.histograms(f),
			}}
		case dto.MetricType_SUMMARY:
			m.Data = &metricspb.Metric_Summary{Summary: &metricspb.Summary{DataPoints: at.summaries(f)}}
		default:
			continue
		}
		all = append(all, m)
	}
	return all
}

// span is the time of data points, and the last time before its end, in nanoseconds.
type span struct{ from, last, to uint64 }

func labels(m *dto.Metric) (all []*commonpb.KeyValue) {
	for _, l := range m.GetLabel() {
		all = append(all, &commonpb.KeyValue{Key: l.GetName(), Value: text(l.GetValue())})
	}
	return all
}

func (s span) numbers(f *dto.MetricFamily, value func(*dto.Metric) float64) (all []*metricspb.NumberDataPoint) {
	for _, m := range f.GetMetric() {
		all = append(all, &metricspb.NumberDataPoint{
			Attributes: labels(m), StartTimeUnixNano: s.from, TimeUnixNano: s.to,
			Value: &metricspb.NumberDataPoint_AsDouble{AsDouble: value(m)},
		})
	}
	return all
}

// histograms returns histograms whose buckets count what is in them alone: those of
// Prometheus count what is in the buckets below too.
func (s span) histograms(f *dto.MetricFamily) (all []*metricspb.HistogramDataPoint) {
	for _, m := range f.GetMetric() {
		h := m.GetHistogram()
		p := &metricspb.HistogramDataPoint{
			Attributes: labels(m), StartTimeUnixNano: s.from, TimeUnixNano: s.to, Count: h.GetSampleCount(), Sum: new(h.GetSampleSum()),
		}
		below := uint64(0)
		for _, b := range h.GetBucket() {
			p.Exemplars = append(p.Exemplars, s.exemplars(b.GetExemplar())...)
			if math.IsInf(b.GetUpperBound(), 1) {
				continue
			}
			p.ExplicitBounds = append(p.ExplicitBounds, b.GetUpperBound())
			p.BucketCounts = append(p.BucketCounts, b.GetCumulativeCount()-below)
			below = b.GetCumulativeCount()
		}
		p.BucketCounts = append(p.BucketCounts, h.GetSampleCount()-below)
		all = append(all, p)
	}
	return all
}

// exemplars returns an exemplar that is newer than the last time. Its label trace_id is
// OTLP's own field, and the span within the trace is not known.
func (s span) exemplars(e *dto.Exemplar) []*metricspb.Exemplar {
	at := uint64(e.GetTimestamp().AsTime().UnixNano())
	if e == nil || at <= s.last {
		return nil
	}
	x := &metricspb.Exemplar{TimeUnixNano: at, Value: &metricspb.Exemplar_AsDouble{AsDouble: e.GetValue()}}
	for _, l := range e.GetLabel() {
		if id, err := trace.TraceIDFromHex(l.GetValue()); l.GetName() == "trace_id" && err == nil {
			x.TraceId = id[:]
			continue
		}
		x.FilteredAttributes = append(x.FilteredAttributes, &commonpb.KeyValue{Key: l.GetName(), Value: text(l.GetValue())})
	}
	return []*metricspb.Exemplar{x}
}

func (s span) summaries(f *dto.MetricFamily) (all []*metricspb.SummaryDataPoint) {
	for _, m := range f.GetMetric() {
		p := &metricspb.SummaryDataPoint{
			Attributes: labels(m), StartTimeUnixNano: s.from, TimeUnixNano: s.to,
			Count: m.GetSummary().GetSampleCount(), Sum: m.GetSummary().GetSampleSum(),
		}
		for _, q := range m.GetSummary().GetQuantile() {
			p.QuantileValues = append(p.QuantileValues, &metricspb.SummaryDataPoint_ValueAtQuantile{Quantile: q.GetQuantile(), Value: q.GetValue()})
		}
		all = append(all, p)
	}
	return all
}
