package export

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The variables that OpenTelemetry's specification names, without their prefixes: a
// variable of one signal comes before that of all.
const (
	prefix          = "OTEL_EXPORTER_OTLP_"
	sdkDisabled     = "OTEL_SDK_DISABLED"
	tracesExporter  = "OTEL_TRACES_EXPORTER"
	metricsExporter = "OTEL_METRICS_EXPORTER"
	serviceName     = "OTEL_SERVICE_NAME"
	attributes      = "OTEL_RESOURCE_ATTRIBUTES"
	propagators     = "OTEL_PROPAGATORS"
	sampler         = "OTEL_TRACES_SAMPLER"
	samplerArg      = "OTEL_TRACES_SAMPLER_ARG"
	bspDelay        = "OTEL_BSP_SCHEDULE_DELAY"
	bspTimeout      = "OTEL_BSP_EXPORT_TIMEOUT"
	bspQueue        = "OTEL_BSP_MAX_QUEUE_SIZE"
	bspBatch        = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
	metricsEvery    = "OTEL_METRIC_EXPORT_INTERVAL"
	temporality     = prefix + "METRICS_TEMPORALITY_PREFERENCE"
)

// The exporters, where the specification has more than digate.
const (
	exporterOTLP = "otlp"
	exporterNone = "none"
)

// environment reads variables, and notes what is wrong with them. An empty variable is as
// one that is not set. No text quotes a value: one may hold a credential.
type environment struct {
	get      func(string) string
	problems []error
	warnings []Warning
}

// Read returns what the variables say. It asks get for the value of each. The error names
// every variable that cannot be used.
//
// The specification has warnings in place of failures where a number is no number, and
// where a name is not one of its own. Where a name is one of the specification's that
// digate has nothing for, and where nothing could be sent at all, Read fails.
func Read(get func(string) string) (Settings, error) {
	e := &environment{get: func(name string) string { return strings.TrimSpace(get(name)) }}
	s := Settings{}
	if e.boolean(sdkDisabled) {
		s.Warnings = e.warnings
		return s, nil
	}
	if e.wants(tracesExporter, e.get(prefix+"ENDPOINT") != "" || e.get(prefix+"TRACES_ENDPOINT") != "", []string{"console", "zipkin", "jaeger"}) {
		s.Traces = &Traces{Target: e.target("TRACES", signalTraces), Batch: e.batch(), Sampler: e.sampler(), Incoming: e.incoming()}
	}
	// The metrics are on the admin listener, so the variables of traces do not ask for them.
	if e.wants(metricsExporter, e.get(prefix+"METRICS_ENDPOINT") != "", []string{"console"}, "prometheus") {
		s.MetricsTo = &Metrics{Target: e.target("METRICS", signalMetrics), Every: e.milliseconds(metricsEvery, time.Minute)}
		e.one(temporality, "cumulative", []string{"cumulative"}, []string{"delta", "lowmemory"})
	}
	if s.Traces != nil || s.MetricsTo != nil {
		s.Attributes = e.attributes()
	}
	s.Warnings = e.warnings
	return s, errors.Join(e.problems...)
}

func (e *environment) problemf(variable, format string, args ...any) {
	e.problems = append(e.problems, fmt.Errorf("%s "+format, append([]any{variable}, args...)...))
}

func (e *environment) warnf(variable, format string, args ...any) {
	e.warnings = append(e.warnings, Warning{variable, fmt.Sprintf(format, args...)})
}

// wants reports whether a signal is to be sent, by the variable of its exporter.
func (e *environment) wants(variable string, byDefault bool, lacking []string, nothingToDo ...string) bool {
	unset := exporterNone
	if byDefault {
		unset = exporterOTLP
	}
	return e.one(variable, unset, append([]string{exporterOTLP, exporterNone}, nothingToDo...), lacking) == exporterOTLP
}

// one returns the value of a variable that has one of a few names.
func (e *environment) one(variable, byDefault string, supported, lacking []string) string {
	value := strings.ToLower(e.get(variable))
	switch {
	case value == "":
		return byDefault
	case slices.Contains(supported, value):
		return value
	case slices.Contains(lacking, value):
		e.problemf(variable, "asks for what digate does not have; it has %s", strings.Join(supported, ", "))
	default:
		e.warnf(variable, "has none of the names that it may have: %s", strings.Join(supported, ", "))
	}
	return byDefault
}

// boolean returns the value of a variable that may be true. Whatever else it is means
// false.
func (e *environment) boolean(variable string) bool {
	switch strings.ToLower(e.get(variable)) {
	case "true":
		return true
	case "", "false":
	default:
		e.warnf(variable, "is neither true nor false")
	}
	return false
}

// number returns the value of a variable that is a whole number above 0.
func (e *environment) number(variable string, byDefault, most int) int {
	value := e.get(variable)
	if value == "" {
		return byDefault
	}
	n, err := strconv.Atoi(value)
	if err != nil || n <= 0 || n > most {
		e.warnf(variable, "is not a whole number from 1 to %d", most)
		return byDefault
	}
	return n
}

func (e *environment) milliseconds(variable string, byDefault time.Duration) time.Duration {
	return time.Duration(e.number(variable, int(byDefault/time.Millisecond), math.MaxInt32)) * time.Millisecond
}

// maxQueue bounds the queue of spans: each may have some kilobytes.
const maxQueue = 1 << 20

func (e *environment) batch() Batch {
	b := Batch{
		Delay: e.milliseconds(bspDelay, 5*time.Second), Timeout: e.milliseconds(bspTimeout, 30*time.Second),
		Queue: e.number(bspQueue, 2048, maxQueue), Most: e.number(bspBatch, 512, maxQueue),
	}
	if b.Most > b.Queue {
		if e.get(bspBatch) != "" {
			e.warnf(bspBatch, "is more than the queue holds")
		}
		b.Most = b.Queue
	}
	return b
}

// incoming reports whether the header of Trace Context is one that is read. Baggage is
// read by nobody here, and goes nowhere.
func (e *environment) incoming() bool {
	value := strings.ToLower(e.get(propagators))
	if value == "" {
		return true
	}
	found := false
	for name := range strings.SplitSeq(value, ",") {
		switch strings.TrimSpace(name) {
		case "tracecontext":
			found = true
		case "baggage", "none":
		default:
			e.warnf(propagators, "names more than digate reads, which is tracecontext")
		}
	}
	return found
}

// attributes returns the attributes of the resource.
func (e *environment) attributes() map[string]string {
	all, err := pairs(e.get(attributes))
	if err != nil {
		e.warnf(attributes, "%v", err)
		all = nil
	}
	of := map[string]string{"service.name": "digate"}
	maps.Copy(of, all)
	if name := e.get(serviceName); name != "" {
		of["service.name"] = name
	}
	return of
}

var errPairs = errors.New("is not a list of key=value, with commas between and other characters percent-encoded")

// pairs reads a list as the specification has it, after W3C's Baggage: key1=value1,key2=value2.
func pairs(list string) (map[string]string, error) {
	all := make(map[string]string)
	for pair := range strings.SplitSeq(list, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		key, value, found := strings.Cut(pair, "=")
		key, err := url.PathUnescape(strings.TrimSpace(key))
		value, errValue := url.PathUnescape(strings.TrimSpace(value))
		if !found || key == "" || err != nil || errValue != nil {
			return nil, errPairs
		}
		all[key] = value
	}
	return all, nil
}
