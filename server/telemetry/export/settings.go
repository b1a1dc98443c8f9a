package export

import (
	"crypto/tls"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Settings are what the environment says.
type Settings struct {
	// Traces and MetricsTo are nil where none are asked for.
	Traces    *Traces
	MetricsTo *Metrics
	// Attributes are those of the resource, without digate's own.
	Attributes map[string]string
	// Warnings say which variables are left out of account, and why, as the standard asks
	// for in place of a failure.
	Warnings []Warning
}

// Warning is about a variable that is as good as not set.
type Warning struct {
	Variable, Why string
}

// Traces are how spans are made and sent.
type Traces struct {
	Target
	Batch
	Sampler sdktrace.Sampler
	// Incoming reports whether calls take part in the traces of their callers.
	Incoming bool
}

// Metrics are how metrics are sent.
type Metrics struct {
	Target
	// Every is the time between two pushes.
	Every time.Duration
}

// Target is a collector.
type Target struct {
	// GRPC is for gRPC, in place of protobuf over HTTP.
	GRPC bool
	// URL is where to send requests: with gRPC a target of it.
	URL     string
	TLS     *tls.Config // nil for none; with HTTP the URL decides
	Headers map[string]string
	// Timeout bounds one request.
	Timeout time.Duration
	Gzip    bool
}
