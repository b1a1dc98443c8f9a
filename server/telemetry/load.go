package telemetry

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// Load is what keeps calls from the vendor, at one moment.
type Load struct {
	// InFlight is the exchanges under way, Limit their bound, Queued the calls
	// that wait.
	InFlight, Limit, Queued int
	// Circuit is closed, half-open or open.
	Circuit string
}

// ObserveLoad adds the load to the metrics, as it is when they are asked for.
func (t *Telemetry) ObserveLoad(load func() Load) {
	for name, g := range map[string]struct {
		help  string
		value func(Load) int
	}{
		"digate_vendor_in_flight":       {"Exchanges with the vendor under way.", func(l Load) int { return l.InFlight }},
		"digate_vendor_in_flight_limit": {"How many may be under way; follows the vendor's answer times.", func(l Load) int { return l.Limit }},
		"digate_vendor_queued":          {"Calls that wait for that limit.", func(l Load) int { return l.Queued }},
		"digate_vendor_circuit_open": {"Whether the circuit breaker keeps calls from the vendor.", func(l Load) int {
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

// CircuitChanged tells that the circuit breaker came into the state.
func (t *Telemetry) CircuitChanged(state string) {
	t.metrics.circuit.WithLabelValues(state).Inc()
	level := slog.LevelWarn
	if state == "closed" {
		level = slog.LevelInfo
	}
	t.log.LogAttrs(context.Background(), level, "the vendor's circuit changed", slog.String("state", state))
}
