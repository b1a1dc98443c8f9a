package server

import (
	"fmt"

	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/lifecycle"
	"github.com/digate/digate/server/setting"
	"github.com/digate/digate/server/telemetry"
	"github.com/digate/digate/server/telemetry/export"
)

// openExport starts the export of spans and metrics, if the OpenTelemetry variables ask
// for it. It puts the exporter at the bottom of the stack, so that the last spans of
// every part are exported.
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

// routeTemplates returns the path template of each method's REST route, by the method's
// full gRPC name.
func (s *Server) routeTemplates() map[string]string {
	routes := map[string]string{gateway.BulkMethod: gateway.BulkPath}
	for _, m := range s.contract.Methods() {
		if m.Binding != nil {
			routes[m.FullName] = m.Binding.Template()
		}
	}
	return routes
}
