package telemetry

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics has no label whose values come from callers: methods are those of the
// contract, and the kinds of drift are bounded.
type metrics struct {
	started        *prometheus.CounterVec
	calls          *prometheus.CounterVec
	callSeconds    *prometheus.HistogramVec
	http           *prometheus.CounterVec
	operations     *prometheus.CounterVec
	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec
	retries        *prometheus.CounterVec
	drift          *prometheus.CounterVec
	circuit        *prometheus.CounterVec
	omitted        prometheus.Counter
	contract       *prometheus.GaugeVec
}

// steps are bounds of the histograms of durations, in seconds.
var steps = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}

// buckets returns the bounds of the histograms of durations. The last one is the
// longest time that a call may take, so that no quantile is beyond it.
func buckets(longest time.Duration) []float64 {
	last := longest.Seconds()
	n := 0
	for n < len(steps) && steps[n] < last {
		n++
	}
	return append(slices.Clone(steps[:n]), last)
}

// newMetrics returns the metrics and their registry. docs/metrics.md lists them.
func newMetrics(longest time.Duration) (*metrics, *prometheus.Registry) {
	r := prometheus.NewRegistry()
	bounds := buckets(longest)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	seconds := func(name, help string, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
		r.MustRegister(h)
		return h
	}
	m := &metrics{
		started:        counter("digate_calls_started_total", "Calls begun.", "protocol", "method"),
		calls:          counter("digate_calls_total", "Calls ended.", "protocol", "method", "code", "outcome"),
		callSeconds:    seconds("digate_call_duration_seconds", "Time from the arrival of a call to its end.", "protocol", "method"),
		http:           counter("digate_http_responses_total", "Responses of the REST listener, by HTTP status.", "status"),
		operations:     counter("digate_operations_total", "Copies of bulk streams, and copies that went on after their caller left.", "kind", "code", "outcome"),
		requests:       counter("digate_upstream_requests_total", "Requests to Diga, by the HTTP status of the response.", "method", "status", "outcome"),
		requestSeconds: seconds("digate_upstream_request_duration_seconds", "Time of a request to Diga, until the last byte of the response or the failure.", "method"),
		retries:        counter("digate_upstream_retries_total", "Requests to Diga that followed another of the same call.", "method", "after"),
		drift:          counter("digate_upstream_drift_total", "Departures of Diga's responses from the contract.", "kind"),
		circuit:        counter("digate_upstream_circuit_changes_total", "Changes of the circuit breaker.", "state"),
	}
	m.omitted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "digate_log_lines_omitted_total", Help: "Lines about calls by strangers that were left out of the log.",
	})
	m.contract = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "digate_upstream_contract_changes", Help: "Differences of Diga's published contract from digate's, when it was last read; only with --contract-watch.",
	}, []string{"class"})
	r.MustRegister(m.omitted, m.contract)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m, r
}

func (m *metrics) ended(c *call, took time.Duration) {
	m.calls.WithLabelValues(c.protocol, c.method, codeName(c.code), c.outcome.String()).Inc()
	m.callSeconds.WithLabelValues(c.protocol, c.method).Observe(took.Seconds())
	m.exchanged(c)
}

// exchanged counts the requests to the upstream.
func (m *metrics) exchanged(c *call) {
	if c.exchange == nil {
		return
	}
	for i, a := range c.exchange.Attempts {
		m.requests.WithLabelValues(c.method, upstreamStatus(a.Status), a.Outcome.String()).Inc()
		m.requestSeconds.WithLabelValues(c.method).Observe(a.Duration.Seconds())
		if i > 0 {
			m.retries.WithLabelValues(c.method, c.exchange.Attempts[i-1].Outcome.String()).Inc()
		}
	}
}

func upstreamStatus(status int) string {
	if status == 0 {
		return "none"
	}
	return strconv.Itoa(status)
}
