package telemetry

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/upstream/admission"
)

// metrics are the metrics of calls. No label has values from callers: methods come from
// the contract, and the number of kinds of drift is limited.
type metrics struct {
	started        *children[endpoint, prometheus.Counter]
	calls          *children[ending, prometheus.Counter]
	callSeconds    *children[endpoint, prometheus.Observer]
	http           *children[int, prometheus.Counter]
	begun          *children[exchange.Kind, prometheus.Counter]
	operations     *children[operationEnding, prometheus.Counter]
	requests       *children[response, prometheus.Counter]
	requestSeconds *children[string, prometheus.Observer]
	retries        *prometheus.CounterVec
	drift          *prometheus.CounterVec
	circuit        *prometheus.CounterVec
	omitted        prometheus.Counter
	contract       *prometheus.GaugeVec
}

// endpoint is the protocol and the method of a call.
type endpoint struct{ protocol, method string }

func (e endpoint) labels() []string { return []string{e.protocol, e.method} }

// ending is the result of a call.
type ending struct {
	endpoint
	code    codes.Code
	outcome exchange.Outcome
}

func (e ending) labels() []string {
	return []string{e.protocol, e.method, codeName(e.code), e.outcome.String()}
}

// operationEnding is the result of an operation.
type operationEnding struct {
	kind    exchange.Kind
	code    codes.Code
	outcome exchange.Outcome
}

func (e operationEnding) labels() []string {
	return []string{e.kind.String(), codeName(e.code), e.outcome.String()}
}

// response is the result of a request to Diga.
type response struct {
	method  string
	status  int
	outcome exchange.Outcome
}

func (r response) labels() []string {
	return []string{r.method, upstreamStatus(r.status), r.outcome.String()}
}

// steps are the possible bucket bounds of the duration histograms, in seconds.
var steps = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}

// buckets returns the bucket bounds of the duration histograms. The last one is the
// longest duration of a call, so that no quantile lies beyond it.
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
		started:        counters(counter("digate_calls_started_total", "Calls started.", "protocol", "method"), endpoint.labels),
		calls:          counters(counter("digate_calls_total", "Calls ended.", "protocol", "method", "code", "outcome"), ending.labels),
		callSeconds:    observers(seconds("digate_call_duration_seconds", "Time from the arrival of a call to its end.", "protocol", "method"), endpoint.labels),
		http:           counters(counter("digate_http_responses_total", "Responses of the REST listener, by HTTP status.", "status"), func(status int) []string { return []string{strconv.Itoa(status)} }),
		begun:          counters(counter("digate_operations_started_total", "Copies of bulk streams, and copies that continued after their caller disconnected, that were started.", "kind"), func(k exchange.Kind) []string { return []string{k.String()} }),
		operations:     counters(counter("digate_operations_total", "Copies of bulk streams, and copies that continued after their caller disconnected.", "kind", "code", "outcome"), operationEnding.labels),
		requests:       counters(counter("digate_upstream_requests_total", "Requests to Diga, by the HTTP status of the response.", "method", "status", "outcome"), response.labels),
		requestSeconds: observers(seconds("digate_upstream_request_duration_seconds", "Time of a request to Diga, until the last byte of the response or the failure.", "method"), func(method string) []string { return []string{method} }),
		retries:        counter("digate_upstream_retries_total", "Retries of requests to Diga.", "method", "after"),
		drift:          counter("digate_upstream_drift_total", "Deviations of Diga's responses from the contract.", "kind"),
		circuit:        counter("digate_upstream_circuit_changes_total", "Changes of the circuit breaker.", "state"),
	}
	for _, state := range admission.CircuitStates {
		m.circuit.WithLabelValues(state)
	}
	for _, kind := range countedKinds {
		m.begun.of(kind)
	}
	m.omitted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "digate_log_lines_omitted_total", Help: "Log lines about calls of unknown callers that were omitted.",
	})
	m.contract = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "digate_upstream_contract_changes", Help: "Differences between Diga's published contract and digate's, at the last comparison; only with --contract-watch.",
	}, []string{"class"})
	r.MustRegister(m.omitted, m.contract)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m, r
}

func (c *call) endpoint() endpoint { return endpoint{c.protocol, c.method} }

func (m *metrics) ended(c *call, took time.Duration, e exemplar) {
	m.calls.of(ending{c.endpoint(), c.code, c.outcome}).Inc()
	e.observe(m.callSeconds.of(c.endpoint()), took.Seconds())
	m.exchanged(c, e)
}

// exchanged counts the requests to Diga.
func (m *metrics) exchanged(c *call, e exemplar) {
	if c.exchange == nil {
		return
	}
	for i, a := range c.exchange.Attempts {
		m.requests.of(response{c.method, a.Status, a.Outcome}).Inc()
		e.observe(m.requestSeconds.of(c.method), a.Duration.Seconds())
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
