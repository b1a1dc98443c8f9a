package telemetry

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/digate/digate/server/upstream"
)

// Upstream returns the load of the upstream client.
type Upstream interface {
	// Load returns the current load.
	Load() upstream.Load
}

var _ Upstream = (*upstream.Client)(nil)

// Watch adds the upstream's load to the metrics. It may be called once.
func (t *Telemetry) Watch(u Upstream) { t.registry.MustRegister(loadCollector{u}) }

// loadCollector reads the load once at each scrape, so that its metrics are consistent.
type loadCollector struct{ upstream Upstream }

// loadGauges are the gauges of a load.
var loadGauges = []struct {
	desc  *prometheus.Desc
	value func(upstream.Load) float64
}{
	{loadDesc("in_flight", "Requests in flight to Diga."), func(l upstream.Load) float64 { return float64(l.InFlight) }},
	{loadDesc("in_flight_limit", "Maximum of requests in flight to Diga; it is lower while Diga is overloaded."), func(l upstream.Load) float64 { return float64(l.Limit) }},
	{loadDesc("queued", "Calls that wait because of the limit of requests in flight, or of the limit of their account."), func(l upstream.Load) float64 { return float64(l.Queued) }},
	{loadDesc("queued_bytes", "Size of the requests of the waiting calls."), func(l upstream.Load) float64 { return float64(l.QueuedBytes) }},
	{loadDesc("queued_limit", "Maximum of calls that may wait."), func(l upstream.Load) float64 { return float64(l.MaxQueued) }},
	{loadDesc("queued_limit_bytes", "Maximum size of the requests of the waiting calls."), func(l upstream.Load) float64 { return float64(l.MaxQueuedBytes) }},
	{loadDesc("retries_saved", "Retries that the budget allows now; 0 if retries are off."), func(l upstream.Load) float64 { return l.Retries.Saved }},
	{loadDesc("retries_saved_limit", "Maximum of the retry budget."), func(l upstream.Load) float64 { return float64(l.Retries.Limit) }},
	{loadDesc("accounts_limited", "Accounts whose own limit is lowered because Diga responded 429."), func(l upstream.Load) float64 { return float64(l.Limited) }},
	{loadDesc("accounts_paused", "Accounts that send nothing until the retry time that Diga returned."), func(l upstream.Load) float64 { return float64(l.Paused) }},
	{loadDesc("recording", "Copies with a request id that are being recorded or sent; the maximum is that of requests in flight."), func(l upstream.Load) float64 { return float64(l.Slots) }},
	{loadDesc("connections_awaited", "Requests that wait for a new or a free connection to Diga."), func(l upstream.Load) float64 { return float64(l.Connections.Awaited) }},
	{loadDesc("circuit_open", "1 while the circuit breaker is open."), func(l upstream.Load) float64 {
		if l.Circuit == "open" {
			return 1
		}
		return 0
	}},
}

// loadCounters are the counters of a load that have a label for the kind.
var loadCounters = []struct {
	desc   *prometheus.Desc
	values func(upstream.Load) map[string]uint64
}{
	{loadDesc("overload_total", "Requests to Diga with evidence of overload.", "evidence"),
		func(l upstream.Load) map[string]uint64 { return l.Evidence }},
	{loadDesc("refused_total", "Calls that were refused before they were sent.", "reason"),
		func(l upstream.Load) map[string]uint64 { return l.Refused }},
	{loadDesc("dials_total", "Attempts to connect to Diga, by result; the TLS handshake is not included.", "result"),
		func(l upstream.Load) map[string]uint64 { return l.Connections.Dials }},
	{loadDesc("connections_closed_total", "Connections to Diga that ended: unused, closed by Diga, or after a failed exchange or TLS handshake.", "reason"),
		func(l upstream.Load) map[string]uint64 { return l.Connections.Closed }},
}

var connections = loadDesc("connections", "Open connections to Diga: in use by a request, or idle (also new ones).", "state")

var retriesRefused = loadDesc("retries_refused_total", "Requests that were not retried because the retry budget was used up (--upstream-retry-budget).")

func loadDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("digate_upstream_"+name, help, labels, nil)
}

// Describe implements [prometheus.Collector].
func (loadCollector) Describe(to chan<- *prometheus.Desc) {
	for _, g := range loadGauges {
		to <- g.desc
	}
	for _, c := range loadCounters {
		to <- c.desc
	}
	to <- retriesRefused
	to <- connections
}

// Collect implements [prometheus.Collector].
func (c loadCollector) Collect(to chan<- prometheus.Metric) {
	l := c.upstream.Load()
	to <- prometheus.MustNewConstMetric(retriesRefused, prometheus.CounterValue, float64(l.Retries.Refused))
	for state, n := range map[string]int{"in_use": l.Connections.InUse, "idle": l.Connections.Idle} {
		to <- prometheus.MustNewConstMetric(connections, prometheus.GaugeValue, float64(n), state)
	}
	for _, g := range loadGauges {
		to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.value(l))
	}
	for _, c := range loadCounters {
		for label, n := range c.values(l) {
			to <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(n), label)
		}
	}
}

// CircuitChanged implements [upstream.Observer]: it counts and logs the change.
func (t *Telemetry) CircuitChanged(state string) {
	t.metrics.circuit.WithLabelValues(state).Inc()
	level := slog.LevelWarn
	if state == "closed" {
		level = slog.LevelInfo
	}
	t.log.LogAttrs(context.Background(), level, "the circuit to Diga changed", slog.String("state", state))
}

var _ upstream.Observer = (*Telemetry)(nil)
