// Package exporttest has a collector of OTLP, over HTTP and gRPC, for tests.
package exporttest

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// Collector keeps what it is sent. It may be used by many goroutines.
type Collector struct {
	// URL is for protobuf over HTTP, and GRPC for gRPC.
	URL, GRPC string

	mu      sync.Mutex
	traces  []*tracepb.ResourceSpans
	metrics []*metricspb.ResourceMetrics
	headers []http.Header
	// first decides on the response to an HTTP request, if it is set.
	first func(w http.ResponseWriter, r *http.Request) (done bool)
}

// New returns a collector that ends with the test.
func New(tb testing.TB) *Collector {
	tb.Helper()
	c := new(Collector)
	web := httptest.NewServer(http.HandlerFunc(c.serve))
	tb.Cleanup(web.Close)
	var config net.ListenConfig
	ln, err := config.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	srv := grpc.NewServer()
	collectortrace.RegisterTraceServiceServer(srv, traceService{of: c})
	collectormetrics.RegisterMetricsServiceServer(srv, metricsService{of: c})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(ln)
	}()
	tb.Cleanup(func() { srv.Stop(); <-ended })
	c.URL, c.GRPC = web.URL, "http://"+ln.Addr().String()
	return c
}

// First lets a function respond to HTTP requests, unless it returns false.
func (c *Collector) First(f func(w http.ResponseWriter, r *http.Request) (done bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = f
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	first := c.first
	c.mu.Unlock()
	if first != nil && first(w, r) {
		return
	}
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return
	}
	traces, metrics := new(collectortrace.ExportTraceServiceRequest), new(collectormetrics.ExportMetricsServiceRequest)
	switch r.URL.Path {
	case "/v1/traces":
		err = proto.Unmarshal(text, traces)
	case "/v1/metrics":
		err = proto.Unmarshal(text, metrics)
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.keep(traces.GetResourceSpans(), metrics.GetResourceMetrics(), r.Header)
}

func (c *Collector) keep(traces []*tracepb.ResourceSpans, metrics []*metricspb.ResourceMetrics, header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traces = append(c.traces, traces...)
	c.metrics = append(c.metrics, metrics...)
	c.headers = append(c.headers, header)
}

type traceService struct {
	collectortrace.UnimplementedTraceServiceServer
	of *Collector
}

// Export implements [collectortrace.TraceServiceServer].
func (s traceService) Export(ctx context.Context, r *collectortrace.ExportTraceServiceRequest) (*collectortrace.ExportTraceServiceResponse, error) {
	s.of.keep(r.GetResourceSpans(), nil, header(ctx))
	return new(collectortrace.ExportTraceServiceResponse), nil
}

type metricsService struct {
	collectormetrics.UnimplementedMetricsServiceServer
	of *Collector
}

// Export implements [collectormetrics.MetricsServiceServer].
func (s metricsService) Export(ctx context.Context, r *collectormetrics.ExportMetricsServiceRequest) (*collectormetrics.ExportMetricsServiceResponse, error) {
	s.of.keep(nil, r.GetResourceMetrics(), header(ctx))
	return new(collectormetrics.ExportMetricsServiceResponse), nil
}

func header(ctx context.Context) http.Header {
	h := make(http.Header)
	md, _ := metadata.FromIncomingContext(ctx)
	for name, values := range md {
		for _, v := range values {
			h.Add(name, v)
		}
	}
	return h
}

// Spans returns the spans that arrived, in the order in which they began.
func (c *Collector) Spans() (all []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.traces {
		for _, s := range r.GetScopeSpans() {
			all = append(all, s.GetSpans()...)
		}
	}
	slices.SortStableFunc(all, func(a, b *tracepb.Span) int {
		return int(int64(a.GetStartTimeUnixNano()) - int64(b.GetStartTimeUnixNano()))
	})
	return all
}

// Metrics returns the metrics that arrived last, by their name.
func (c *Collector) Metrics() map[string]*metricspb.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]*metricspb.Metric)
	for _, r := range c.metrics {
		for _, s := range r.GetScopeMetrics() {
			for _, m := range s.GetMetrics() {
				all[m.GetName()] = m
			}
		}
	}
	return all
}

// Headers returns the headers, or metadata, of the requests.
func (c *Collector) Headers() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.headers)
}

// Text returns all that arrived, in words.
func (c *Collector) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b bytes.Buffer
	for _, r := range c.traces {
		b.WriteString(prototext.Format(r))
	}
	for _, r := range c.metrics {
		b.WriteString(prototext.Format(r))
	}
	return b.String()
}

// Getenv returns a function that reads variables: the ones given, as NAME, value, …, and
// a collector of traces over HTTP.
func (c *Collector) Getenv(variables ...string) func(string) string {
	of := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL}
	for i := 0; i+1 < len(variables); i += 2 {
		of[variables[i]] = variables[i+1]
	}
	return func(name string) string { return of[name] }
}
