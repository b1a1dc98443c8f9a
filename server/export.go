package server

import (
	"fmt"

	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/lifecycle"
	"github.com/digate/digate/server/setting"
	"github.com/digate/digate/server/telemetry"
	"github.com/digate/digate/server/telemetry/export"
)

// openExport begins to send spans and metrics, if the variables of OpenTelemetry ask for
// it, and puts its end on the stack: below all parts, so that their last spans are sent.
func (s *Server) openExport(getenv func(string) string) error {
	if getenv == nil {
		return nil
	}
	settings, err := export.Read(getenv)
	if err != nil {
		return setting.Mistaken(fmt.Errorf("the variables of OpenTelemetry: %w", err))
	}
	for _, w := range settings.Warnings {
		s.log.Warn("a variable of OpenTelemetry is left out of account", "variable", w.Variable, "cause", w.Why)
	}
	e := export.New(export.Config{Settings: settings, Version: s.version, Metrics: s.telemetry.Gatherer(), Log: s.log})
	if e == nil {
		return nil
	}
	s.lifecycle.Push(&lifecycle.Part{Name: "export", Close: func() error { e.Close(); return nil }})
	s.telemetry.WatchExport(e)
	if provider, incoming := e.Tracer(); provider != nil {
		s.telemetry.Trace(telemetry.Tracing{Provider: provider, Incoming: incoming, Routes: s.routeTemplates()})
	}
	return nil
}

// routeTemplates returns the templates of the paths of REST, by the full gRPC name of
// the method.
func (s *Server) routeTemplates() map[string]string {
	routes := map[string]string{gateway.BulkMethod: gateway.BulkPath}
	for _, m := range s.contract.Methods() {
		if m.Binding != nil {
			routes[m.FullName] = m.Binding.Template()
		}
	}
	return routes
}
