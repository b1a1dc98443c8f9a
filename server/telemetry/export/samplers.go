package export

import (
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// samplers are those of the specification that need no other server.
var samplers = map[string]func(ratio float64) sdktrace.Sampler{
	"always_on":                func(float64) sdktrace.Sampler { return sdktrace.AlwaysSample() },
	"always_off":               func(float64) sdktrace.Sampler { return sdktrace.NeverSample() },
	"traceidratio":             sdktrace.TraceIDRatioBased,
	"parentbased_always_on":    func(float64) sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.AlwaysSample()) },
	"parentbased_always_off":   func(float64) sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.NeverSample()) },
	"parentbased_traceidratio": func(ratio float64) sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio)) },
}

// sampler returns the sampler that is asked for.
func (e *environment) sampler() sdktrace.Sampler {
	names := []string{"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}
	name := e.one(sampler, "parentbased_always_on", names, []string{"jaeger_remote", "parentbased_jaeger_remote", "xray"})
	ratio := 1.0
	if value := e.get(samplerArg); value != "" && strings.HasSuffix(name, "traceidratio") {
		r, err := strconv.ParseFloat(value, 64)
		if err != nil || !(r >= 0 && r <= 1) {
			e.warnf(samplerArg, "is not a number from 0 to 1, so that every trace is sampled")
			r = 1
		}
		ratio = r
	}
	return samplers[name](ratio)
}
