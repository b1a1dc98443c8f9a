package telemetry

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/digate/digate/server/exchange"
)

// metrics has no label whose values come from outside: methods are those of the
// contract, drift paths those of its fields.
type metrics struct {
	started  *prometheus.CounterVec
	calls    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	http     *prometheus.CounterVec
	vendor   *prometheus.CounterVec
	vendorIn *prometheus.HistogramVec
	drift    *prometheus.CounterVec
}

var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newMetrics() (*metrics, *prometheus.Registry) {
	m := &metrics{
		started: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_calls_started_total", Help: "Calls begun, by face (grpc, rest) and method.",
		}, []string{"face", "method"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_calls_total", Help: "Calls ended, by face, method, gRPC code and outcome.",
		}, []string{"face", "method", "code", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "digate_call_duration_seconds", Help: "Time from a call's arrival to its answer.", Buckets: buckets,
		}, []string{"face", "method"}),
		http: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_http_responses_total", Help: "Answers of the REST side, by status.",
		}, []string{"status"}),
		vendor: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_vendor_responses_total", Help: "Exchanges with the vendor, by method and HTTP status (none: no answer).",
		}, []string{"method", "status"}),
		vendorIn: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "digate_vendor_duration_seconds", Help: "Time of the exchange with the vendor.", Buckets: buckets,
		}, []string{"method"}),
		drift: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_vendor_drift_total", Help: "Departures of the vendor's answers from its contract, by kind.",
		}, []string{"what"}),
	}
	r := prometheus.NewRegistry()
	r.MustRegister(m.started, m.calls, m.seconds, m.http, m.vendor, m.vendorIn, m.drift,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m, r
}

func (m *metrics) ended(c *call, took time.Duration) {
	m.calls.WithLabelValues(c.face, c.method, c.code.String(), c.outcome.String()).Inc()
	m.seconds.WithLabelValues(c.face, c.method).Observe(took.Seconds())
	ex := c.exchange
	if ex == nil || ex.Attempts == 0 {
		return
	}
	m.vendor.WithLabelValues(c.method, vendorStatus(ex)).Inc()
	m.vendorIn.WithLabelValues(c.method).Observe(ex.Duration.Seconds())
}

func vendorStatus(ex *exchange.Exchange) string {
	if ex.Status == 0 {
		return "none"
	}
	return strconv.Itoa(ex.Status)
}
