package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/digate/digate/server/telemetry/export"
)

// Export sends spans and metrics to a collector.
type Export interface {
	// Stats returns what has been sent and lost so far.
	Stats() export.Stats
	// Queue returns how many spans wait to be sent, and the maximum.
	Queue() (waiting, limit int)
}

var _ Export = (*export.Export)(nil)

// Gatherer returns the gatherer of the metrics.
func (t *Telemetry) Gatherer() prometheus.Gatherer { return t.registry }

// WatchExport adds the counts of sent and lost spans and metrics to the metrics. It may
// be called once.
func (t *Telemetry) WatchExport(e Export) { t.registry.MustRegister(exportCollector{e}) }

var (
	traceSpans = prometheus.NewDesc("digate_trace_spans_total",
		"Sampled spans that ended: exported, lost because the queue was full, or lost because the collector did not accept them (failed); only if the OTEL_* variables enable traces or metrics.", []string{"result"}, nil)
	metricPushes = prometheus.NewDesc("digate_metric_pushes_total",
		"Pushes of metrics to a collector; only if the OTEL_* variables enable traces or metrics.", []string{"result"}, nil)
	traceQueued = prometheus.NewDesc("digate_trace_queued_spans",
		"Spans that wait to be sent; only if the OTEL_* variables enable traces or metrics.", nil, nil)
	traceQueueLimit = prometheus.NewDesc("digate_trace_queued_limit_spans",
		"Maximum of spans that may wait; further spans are lost. 0 without traces. Only if the OTEL_* variables enable traces or metrics.", nil, nil)
)

// exportCollector reads the counts at each scrape.
type exportCollector struct{ export Export }

// Describe implements [prometheus.Collector].
func (exportCollector) Describe(to chan<- *prometheus.Desc) {
	to <- traceSpans
	to <- metricPushes
	to <- traceQueued
	to <- traceQueueLimit
}

// Collect implements [prometheus.Collector].
func (c exportCollector) Collect(to chan<- prometheus.Metric) {
	s := c.export.Stats()
	count := func(d *prometheus.Desc, n uint64, result string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), result)
	}
	waiting, limit := c.export.Queue()
	to <- prometheus.MustNewConstMetric(traceQueued, prometheus.GaugeValue, float64(waiting))
	to <- prometheus.MustNewConstMetric(traceQueueLimit, prometheus.GaugeValue, float64(limit))
	count(traceSpans, s.Exported, "exported")
	count(traceSpans, s.Full, "full")
	count(traceSpans, s.Failed, "failed")
	count(metricPushes, s.Pushed, "exported")
	count(metricPushes, s.PushFailed, "failed")
}
