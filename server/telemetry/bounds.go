package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/streams"
)

// Bounds reports how much of each limit on callers is used.
type Bounds interface {
	// Connections returns the connections of each listener.
	Connections() []Connections
	// Handshakes returns the TLS handshakes in progress on each listener with TLS.
	Handshakes() []Handshakes
	// Arrivals returns the bytes of incomplete messages and metadata.
	Arrivals() Arrivals
	// Resets returns the number of gRPC connections that were closed because they reset
	// too many calls.
	Resets() uint64
	// Decompressions returns the decompressions of strangers' messages.
	Decompressions() Decompressions
	// Known returns how many known callers are remembered, and the maximum.
	Known() (n, limit int)
	// Streams returns the gRPC streams that wait for their callers.
	Streams() []streams.Load
	// Memory returns the memory that current requests use.
	Memory() budget.Load
}

// Connections are the connections of a listener.
type Connections struct {
	Listener    string
	Open, Limit int
}

// Handshakes are the TLS handshakes in progress on a listener.
type Handshakes struct {
	Listener       string
	Pending, Limit int
}

// Arrivals are the received bytes of incomplete messages and metadata.
type Arrivals struct {
	Bytes, Limit int64
	// Closed is the number of connections closed because of the limit.
	Closed uint64
}

// Decompressions are the current decompressions of strangers' messages.
type Decompressions struct {
	UnderWay, Limit, Waiting int
}

// WatchBounds adds the use of the limits to the metrics. It may be called once.
func (t *Telemetry) WatchBounds(b Bounds) { t.registry.MustRegister(boundsCollector{b}) }

// boundsCollector reads the use of the limits at each scrape.
type boundsCollector struct{ bounds Bounds }

// newDesc returns the description of a metric that is read at each scrape.
func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("digate_"+name, help, labels, nil)
}

var (
	connectionsOpen  = newDesc("connections", "Open connections of callers.", "listener")
	connectionsLimit = newDesc("connections_limit", "Maximum of connections of a listener; further connections wait (--max-connections).", "listener")
	handshakes       = newDesc("tls_handshakes", "TLS handshakes of callers in progress; only with --tls-cert-file.", "listener")
	handshakesLimit  = newDesc("tls_handshakes_limit", "Maximum of TLS handshakes of a listener; a further one replaces the oldest one of the address with the most. Only with --tls-cert-file.", "listener")
	arriving         = newDesc("arriving_bytes", "Bytes of incomplete messages and metadata, on gRPC connections without a call of a known caller.")
	arrivingLimit    = newDesc("arriving_limit_bytes", "Maximum of such bytes; beyond it, the connection with the most is closed.")
	arrivingClosed   = newDesc("arriving_closed_total", "gRPC connections that were closed because of too many such bytes.")
	resetsClosed     = newDesc("resets_closed_total", "gRPC connections that were closed because they reset far more calls than they completed.")
	decompressions   = newDesc("decompressions", "Compressed messages of unknown callers that are being decompressed.")
	decompressLimit  = newDesc("decompressions_limit", "Maximum of compressed messages of unknown callers that are decompressed at the same time; further ones wait.")
	decompressQueued = newDesc("decompressions_queued", "Compressed messages of unknown callers that wait.")
	knownCallers     = newDesc("known_callers", "Known callers, whose token Diga has accepted.")
	knownLimit       = newDesc("known_callers_limit", "Maximum of known callers; beyond it, some caller becomes unknown until its next call.")
	waitingStreams   = newDesc("waiting_streams", "gRPC streams that wait for their callers; a stream of the contract counts as four.", "callers")
	waitingLimit     = newDesc("waiting_streams_limit", "Maximum of streams of these callers that may wait; all callers together have the maximum of known callers (--max-waiting-streams).", "callers")
	waitingRefused   = newDesc("waiting_streams_refused_total", "gRPC streams that were refused because too many wait.", "callers")
	memoryTaken      = newDesc("request_memory_bytes", "Memory of the requests in progress.", "callers")
	memoryLimit      = newDesc("request_memory_limit_bytes", "Maximum memory of the requests in progress (--max-decoded-bytes); unknown callers may use half of it, and one caller three times what is free.")
	memoryRefused    = newDesc("request_memory_refused_total", "Requests that were refused because too much memory is in use, by all requests or by those of their caller.", "bound")
)

// Describe implements [prometheus.Collector].
func (boundsCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		connectionsOpen, connectionsLimit, handshakes, handshakesLimit, arriving, arrivingLimit, arrivingClosed, resetsClosed,
		decompressions, decompressLimit, decompressQueued, knownCallers, knownLimit, waitingStreams, waitingLimit, waitingRefused, memoryTaken, memoryLimit, memoryRefused,
	} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c boundsCollector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for _, l := range c.bounds.Connections() {
		gauge(connectionsOpen, float64(l.Open), l.Listener)
		gauge(connectionsLimit, float64(l.Limit), l.Listener)
	}
	for _, l := range c.bounds.Handshakes() {
		gauge(handshakes, float64(l.Pending), l.Listener)
		gauge(handshakesLimit, float64(l.Limit), l.Listener)
	}
	a := c.bounds.Arrivals()
	gauge(arriving, float64(a.Bytes))
	gauge(arrivingLimit, float64(a.Limit))
	count(arrivingClosed, a.Closed)
	count(resetsClosed, c.bounds.Resets())
	unpacked := c.bounds.Decompressions()
	gauge(decompressions, float64(unpacked.UnderWay))
	gauge(decompressLimit, float64(unpacked.Limit))
	gauge(decompressQueued, float64(unpacked.Waiting))
	known, most := c.bounds.Known()
	gauge(knownCallers, float64(known))
	gauge(knownLimit, float64(most))
	for _, s := range c.bounds.Streams() {
		gauge(waitingStreams, float64(s.Open), s.Class)
		gauge(waitingLimit, float64(s.Limit), s.Class)
		count(waitingRefused, s.Refused, s.Class)
	}
	m := c.bounds.Memory()
	gauge(memoryTaken, float64(m.Taken-m.Strangers), "known")
	gauge(memoryTaken, float64(m.Strangers), "strangers")
	gauge(memoryLimit, float64(m.Limit))
	count(memoryRefused, m.Refused.ForAll, "all")
	count(memoryRefused, m.Refused.ForShare, "caller")
}
