//go:build !race

package server_test

import (
	"testing"

	"github.com/digate/digate/server/telemetry/export/exporttest"
)

// BenchmarkTracing is a call without traces, and one of which a hundredth is sampled.
func BenchmarkTracing(b *testing.B) {
	sampled := exporttest.New(b).Getenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG", "0.01")
	for _, way := range []struct {
		name   string
		getenv func(string) string
	}{{"off", nil}, {"one_percent", sampled}} {
		s := serveQuietlyWith(b, way.getenv)
		for _, p := range rawCallers[:2] {
			call := p.caller(b, s)
			call() // connects to the upstream
			b.Run(p.name+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					call()
				}
			})
		}
	}
}
