package telemetry

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
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
	retries  *prometheus.CounterVec
	circuit  *prometheus.CounterVec
	inner    *prometheus.CounterVec
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
			Name: "digate_vendor_responses_total", Help: "Exchanges with the vendor, by method, HTTP status (none: no answer) and outcome.",
		}, []string{"method", "status", "outcome"}),
		vendorIn: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "digate_vendor_duration_seconds", Help: "Time of the exchange with the vendor.", Buckets: buckets,
		}, []string{"method"}),
		drift: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_vendor_drift_total", Help: "Departures of the vendor's answers from its contract, by kind.",
		}, []string{"what"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_vendor_retries_total", Help: "Exchanges that followed another of the same call, by method and the outcome before.",
		}, []string{"method", "after"}),
		circuit: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_vendor_circuit_changes_total", Help: "Changes of the circuit breaker, by the state that it came into.",
		}, []string{"state"}),
		inner: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_inner_calls_total", Help: "Copies of bulk streams, and copies that their callers left, by gRPC code and outcome.",
		}, []string{"what", "code", "outcome"}),
	}
	r := prometheus.NewRegistry()
	r.MustRegister(m.started, m.calls, m.seconds, m.http, m.vendor, m.vendorIn, m.drift, m.retries, m.circuit, m.inner,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m, r
}

func (m *metrics) ended(c *call, took time.Duration) {
	m.calls.WithLabelValues(c.face, c.method, c.code.String(), c.outcome.String()).Inc()
	m.seconds.WithLabelValues(c.face, c.method).Observe(took.Seconds())
	m.exchanged(c)
}

// exchanged counts the exchanges with the vendor.
func (m *metrics) exchanged(c *call) {
	if c.exchange == nil {
		return
	}
	for i, a := range c.exchange.Attempts {
		m.vendor.WithLabelValues(c.method, vendorStatus(a.Status), a.Outcome.String()).Inc()
		m.vendorIn.WithLabelValues(c.method).Observe(a.Duration.Seconds())
		if i > 0 {
			m.retries.WithLabelValues(c.method, c.exchange.Attempts[i-1].Outcome.String()).Inc()
		}
	}
}

func vendorStatus(status int) string {
	if status == 0 {
		return "none"
	}
	return strconv.Itoa(status)
}
