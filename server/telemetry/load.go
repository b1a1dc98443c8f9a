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
	{loadDesc("in_flight", "Requests to Diga under way."), func(l upstream.Load) float64 { return float64(l.InFlight) }},
	{loadDesc("in_flight_limit", "Most requests to Diga that may be under way; it falls while Diga is overloaded."), func(l upstream.Load) float64 { return float64(l.Limit) }},
	{loadDesc("queued", "Calls that wait for the limit of requests under way, or for that of their account."), func(l upstream.Load) float64 { return float64(l.Queued) }},
	{loadDesc("queued_bytes", "Size of the requests of the calls that wait."), func(l upstream.Load) float64 { return float64(l.QueuedBytes) }},
	{loadDesc("queued_limit", "Most calls that may wait."), func(l upstream.Load) float64 { return float64(l.MaxQueued) }},
	{loadDesc("queued_limit_bytes", "Largest size of the requests of the calls that may wait."), func(l upstream.Load) float64 { return float64(l.MaxQueuedBytes) }},
	{loadDesc("retries_saved", "Requests that may be tried again now, as the calls so far allow; 0 where none may."), func(l upstream.Load) float64 { return l.Retries.Saved }},
	{loadDesc("retries_saved_limit", "Most tries that may be saved."), func(l upstream.Load) float64 { return float64(l.Retries.Limit) }},
	{loadDesc("accounts_limited", "Accounts whose own limit is lower since Diga responded 429."), func(l upstream.Load) float64 { return float64(l.Limited) }},
	{loadDesc("accounts_paused", "Accounts that send nothing until the time that Diga named."), func(l upstream.Load) float64 { return float64(l.Paused) }},
	{loadDesc("recording", "Copies with a request id that are recorded, sent or about to be; at most as many as requests to Diga may be under way."), func(l upstream.Load) float64 { return float64(l.Slots) }},
	{loadDesc("connections_awaited", "Requests that wait for a connection to Diga: for a new one, or one that another request leaves."), func(l upstream.Load) float64 { return float64(l.Connections.Awaited) }},
	{loadDesc("circuit_open", "1 while the circuit breaker holds calls back from Diga."), func(l upstream.Load) float64 {
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
	{loadDesc("overload_total", "Requests to Diga that showed overload.", "evidence"),
		func(l upstream.Load) map[string]uint64 { return l.Evidence }},
	{loadDesc("refused_total", "Calls that were refused before they were sent.", "reason"),
		func(l upstream.Load) map[string]uint64 { return l.Refused }},
	{loadDesc("dials_total", "Connections to Diga that were begun, by what came of it; a TLS handshake comes after that.", "result"),
		func(l upstream.Load) map[string]uint64 { return l.Connections.Dials }},
	{loadDesc("connections_closed_total", "Connections to Diga that ended: nobody needed them, Diga closed them, or an exchange or a TLS handshake on them failed.", "reason"),
		func(l upstream.Load) map[string]uint64 { return l.Connections.Closed }},
}

var connections = loadDesc("connections", "Connections to Diga that are open: with a request on them, or idle, as new ones are too.", "state")

var retriesRefused = loadDesc("retries_refused_total", "Requests that were not tried again because no try was saved (--upstream-retry-budget).")

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
