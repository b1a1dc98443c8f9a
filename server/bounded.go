package server

import (
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/streams"
	"github.com/digate/digate/server/telemetry"
)

// limitsInUse reports how much of each of the server's limits is in use.
type limitsInUse struct{ *Server }

var _ telemetry.Bounds = limitsInUse{}

// Connections implements [telemetry.Bounds].
func (s limitsInUse) Connections() (all []telemetry.Connections) {
	for _, l := range s.listeners() {
		all = append(all, telemetry.Connections{Listener: l.name, Open: int(l.open.Load()), Limit: l.limits.connections})
	}
	return all
}

// Handshakes implements [telemetry.Bounds].
func (s limitsInUse) Handshakes() (all []telemetry.Handshakes) {
	for _, l := range s.listeners() {
		if l.tls != nil {
			all = append(all, telemetry.Handshakes{Listener: l.name, Pending: int(l.tls.pending.Load()), Limit: l.tls.MaxPending})
		}
	}
	return all
}

// Arrivals implements [telemetry.Bounds].
func (s limitsInUse) Arrivals() telemetry.Arrivals { return telemetry.Arrivals(s.arrivals.Load()) }

// Resets implements [telemetry.Bounds].
func (s limitsInUse) Resets() uint64 { return s.resets.Load() }

// Decompressions implements [telemetry.Bounds].
func (s limitsInUse) Decompressions() telemetry.Decompressions {
	return telemetry.Decompressions(s.intake.Load())
}

// Known implements [telemetry.Bounds].
func (s limitsInUse) Known() (n, limit int) { return s.callers.Count() }

// Streams implements [telemetry.Bounds].
func (s limitsInUse) Streams() []streams.Load { return s.streams.Load() }

// Memory implements [telemetry.Bounds].
func (s limitsInUse) Memory() budget.Load { return s.memory.Load() }
