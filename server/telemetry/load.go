package telemetry

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// Load is what holds calls back from the upstream, at one moment.
type Load struct {
	// InFlight counts the requests under way, Limit is their bound, and Queued
	// counts the calls that wait.
	InFlight, Limit, Queued int
	// Circuit is closed, half-open or open.
	Circuit string
}

// ObserveLoad adds the load to the metrics, as load reports it at each scrape.
func (t *Telemetry) ObserveLoad(load func() Load) {
	for name, g := range map[string]struct {
		help  string
		value func(Load) int
	}{
		"digate_upstream_in_flight":       {"Requests to Diga under way.", func(l Load) int { return l.InFlight }},
		"digate_upstream_in_flight_limit": {"Most requests to Diga that may be under way; falls while Diga is overloaded.", func(l Load) int { return l.Limit }},
		"digate_upstream_queued":          {"Calls that wait for the limit of requests under way.", func(l Load) int { return l.Queued }},
		"digate_upstream_circuit_open": {"1 while the circuit breaker holds calls back from Diga, else 0.", func(l Load) int {
			if l.Circuit == "open" {
				return 1
			}
			return 0
		}},
	} {
		t.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: g.help},
			func() float64 { return float64(g.value(load())) }))
	}
}

// CircuitChanged counts and logs a change of the circuit breaker to the state.
func (t *Telemetry) CircuitChanged(state string) {
	t.metrics.circuit.WithLabelValues(state).Inc()
	level := slog.LevelWarn
	if state == "closed" {
		level = slog.LevelInfo
	}
	t.log.LogAttrs(context.Background(), level, "the circuit to Diga changed", slog.String("state", state))
}
