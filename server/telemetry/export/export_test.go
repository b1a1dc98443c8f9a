package export_test

import (
	"bytes"
	"encoding/hex"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/digate/digate/server/telemetry/export"
	"github.com/digate/digate/server/telemetry/export/exporttest"
)

const secret = "s3cr3t"

func variables(pairs ...string) func(string) string {
	of := make(map[string]string)
	for i := 0; i+1 < len(pairs); i += 2 {
		of[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return of[name] }
}

func TestRead_NothingAsksForAnExport_IsNone(t *testing.T) {
	t.Parallel()
	for _, get := range []func(string) string{
		variables(), variables("OTEL_SERVICE_NAME", "x", "OTEL_TRACES_SAMPLER", "always_on"),
		variables("OTEL_SDK_DISABLED", "true", "OTEL_EXPORTER_OTLP_ENDPOINT", "not a URL"),
		variables("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", "OTEL_TRACES_EXPORTER", "none"),
		variables("OTEL_METRICS_EXPORTER", "prometheus"),
	} {
		s, err := export.Read(get)
		if err != nil || export.New(export.Config{Settings: s, Log: slog.New(slog.DiscardHandler)}) != nil {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

func TestRead_WhatCannotBeUsed_IsNamedAndNotQuoted(t *testing.T) {
	t.Parallel()
	for _, c := range [][]string{
		{"OTEL_TRACES_EXPORTER", "zipkin"}, {"OTEL_TRACES_EXPORTER", "console"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", secret}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://" + secret}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://" + secret + "\x7f"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}, {"OTEL_EXPORTER_OTLP_HEADERS", secret}, {"OTEL_EXPORTER_OTLP_HEADERS", "a b=" + secret},
		{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=" + secret + "%0a"}, {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/none"},
		{"OTEL_EXPORTER_OTLP_CLIENT_KEY", "/none"}, {"OTEL_EXPORTER_OTLP_CERTIFICATE", "-----BEGIN CERTIFICATE-----" + secret}, {"OTEL_TRACES_SAMPLER", "jaeger_remote"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://" + secret + ":65536"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "//" + secret},
	} {
		of := map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}
		of[c[0]] = c[1]
		_, err := export.Read(func(name string) string { return of[name] })
		if err == nil || !strings.HasPrefix(err.Error(), c[0]+" ") || strings.Contains(err.Error(), secret) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// A target of gRPC may be an address without a scheme.
func TestRead_AddressForGRPC_IsAHostWithAPort(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"collector:4317": true, "collector": true, "[::1]:4317": true, "127.0.0.1:4317": true, "unix:/run/otel.sock": true,
		":::" + secret: false, secret + ":99999": false, secret + ":4317:4317": false, secret + " :4317": false, "[" + secret: false,
	} {
		s, err := export.Read(variables("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT", address, "OTEL_EXPORTER_OTLP_INSECURE", "perhaps"))
		if (err == nil) != want || err != nil && (!strings.HasPrefix(err.Error(), "OTEL_EXPORTER_OTLP_ENDPOINT ") || strings.Contains(err.Error(), secret)) {
			t.Errorf("%s: %v", address, err)
		}
		if len(s.Warnings) != 1 || s.Warnings[0].Variable != "OTEL_EXPORTER_OTLP_INSECURE" {
			t.Errorf("%s: %v", address, s.Warnings)
		}
	}
}

// Whatever a variable holds, it is used, left out of account with its name, or refused with
// its name, and never quoted.
func TestRead_AnythingInAnyVariable_IsUsedOrNamed(t *testing.T) {
	t.Parallel()
	base := []string{"OTEL_TRACES_EXPORTER", "otlp", "OTEL_METRICS_EXPORTER", "otlp"}
	values := []string{
		"", " ", "\x00", "\xff\xfe", "%", "%zz", ",", "=", ",=,=,", "a=b=c", "-1", "0", "1e9", "NaN", "+Inf", "0x10", "99999999999999999999", "true", "None",
		"http://", "http://[::1", "http://a b", "http://h:p", "https://u:" + secret + "@h:1/?q#f", "grpc", "file:///etc/passwd", "/etc/passwd", "/dev/zero", "ключ", strings.Repeat("9", 1<<16),
		secret + "\n" + secret, strings.Repeat(secret+"=x,", 1<<12),
	}
	for _, signal := range []string{"", "TRACES_", "METRICS_"} {
		for _, what := range []string{"ENDPOINT", "PROTOCOL", "TIMEOUT", "COMPRESSION", "HEADERS", "INSECURE", "CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY", "METRICS_TEMPORALITY_PREFERENCE"} {
			checkAnything(t, "OTEL_EXPORTER_OTLP_"+signal+what, values, base)
		}
	}
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_PROPAGATORS",
		"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_METRIC_EXPORT_INTERVAL",
	} {
		checkAnything(t, name, values, append(base, "OTEL_TRACES_SAMPLER", "traceidratio"))
	}
}

func checkAnything(t *testing.T, name string, values, base []string) {
	t.Helper()
	for _, value := range values {
		s, err := export.Read(variables(append(slices.Clone(base), name, value)...))
		said := []string{}
		if err != nil {
			said = strings.Split(err.Error(), "\n")
		}
		for _, w := range s.Warnings {
			said = append(said, w.Variable+" "+w.Why)
		}
		for _, text := range said {
			quoted := strings.Contains(text, secret)
			if strings.HasSuffix(name, "_CERTIFICATE") || strings.HasSuffix(name, "_KEY") { // a path is quoted, and the text of a key is not
				quoted = strings.Contains(text, "\x00")
			}
			if !strings.HasPrefix(text, "OTEL_") || !strings.Contains(text, name) || quoted {
				t.Errorf("%s=%.40q: %s", name, value, text)
			}
		}
		if err != nil {
			continue
		}
		// What is used must do for the SDK.
		s.Traces, s.MetricsTo = quiet(s.Traces), nil
		if e := export.New(export.Config{Settings: s, Log: slog.New(slog.DiscardHandler)}); e != nil {
			e.Close()
		}
	}
}

// quiet returns traces that are as asked for, and of which none is sent.
func quiet(t *export.Traces) *export.Traces {
	if t != nil {
		t.Delay = time.Hour
	}
	return t
}

// As the specification asks for.
func TestRead_WhatIsLeftOutOfAccount_IsWarnedAbout(t *testing.T) {
	t.Parallel()
	for _, c := range [][]string{
		{"OTEL_SDK_DISABLED", "yes"}, {"OTEL_TRACES_EXPORTER", "oltp"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "http"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"}, {"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"}, {"OTEL_TRACES_SAMPLER", "sometimes"},
		{"OTEL_PROPAGATORS", "tracecontext,b3"}, {"OTEL_BSP_MAX_QUEUE_SIZE", "-1"}, {"OTEL_BSP_SCHEDULE_DELAY", "x"},
		{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5000"}, {"OTEL_RESOURCE_ATTRIBUTES", "a"},
	} {
		s, err := export.Read(variables("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", c[0], c[1]))
		if err != nil || s.Traces == nil || !slices.ContainsFunc(s.Warnings, func(w export.Warning) bool { return w.Variable == c[0] }) {
			t.Errorf("%v: %v, %v", c, s.Warnings, err)
		}
	}
	s, err := export.Read(variables("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", "OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "2"))
	if err != nil || len(s.Warnings) != 1 || s.Warnings[0].Variable != "OTEL_TRACES_SAMPLER_ARG" {
		t.Errorf("%v, %v", s.Warnings, err)
	}
}

func TestRead_VariableOfOneSignal_ComesFirst(t *testing.T) {
	t.Parallel()
	s, err := export.Read(variables("OTEL_EXPORTER_OTLP_ENDPOINT", "https://all.example/base", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics.example/own",
		"OTEL_EXPORTER_OTLP_HEADERS", "Key=of%20all", "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "key=own"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Traces.URL != "https://all.example/base/v1/traces" || s.Traces.TLS == nil || s.Traces.Headers["key"] != "of all" {
		t.Errorf("traces: %+v", s.Traces.Target)
	}
	if s.MetricsTo.URL != "http://metrics.example/own" || s.MetricsTo.TLS != nil || s.MetricsTo.Headers["key"] != "own" {
		t.Errorf("metrics: %+v", s.MetricsTo.Target)
	}
}

// begin returns an export to the collector, with what it logs.
func begin(t *testing.T, get func(string) string, metrics prometheus.Gatherer) (*export.Export, *bytes.Buffer) {
	t.Helper()
	s, err := export.Read(get)
	if err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer) // of the export's goroutine until it is closed
	return export.New(export.Config{Settings: s, Version: "test", Metrics: metrics, Log: slog.New(slog.NewTextHandler(log, nil))}), log
}

func span(t *testing.T, e *export.Export) {
	t.Helper()
	provider, _ := e.Tracer()
	_, s := provider.Tracer("test").Start(t.Context(), "one")
	s.End()
}

func TestExport_OverEitherProtocol_ArrivesWithItsHeaders(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		for _, compression := range []string{"none", "gzip"} {
			c := exporttest.New(t)
			url := map[string]string{"http/protobuf": c.URL, "grpc": c.GRPC}[protocol]
			r := prometheus.NewRegistry()
			h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h_seconds", Help: "A histogram.", Buckets: []float64{1, 2}})
			n := prometheus.NewCounter(prometheus.CounterOpts{Name: "n_total", Help: "A counter."})
			r.MustRegister(h, n)
			h.Observe(0.5)
			h.Observe(1.5)
			h.Observe(9)
			n.Add(3)
			e, log := begin(t, variables("OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_METRICS_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL", protocol,
				"OTEL_EXPORTER_OTLP_COMPRESSION", compression, "OTEL_EXPORTER_OTLP_HEADERS", "api-key="+secret, "OTEL_SERVICE_NAME", "named"), r)
			span(t, e)
			e.Close()
			if spans := c.Spans(); len(spans) != 1 || spans[0].GetName() != "one" {
				t.Errorf("%s, %s: %v", protocol, compression, spans)
			}
			for _, h := range c.Headers() {
				if h.Get("Api-Key") != secret {
					t.Errorf("%s: the header is %v", protocol, h)
				}
			}
			got := c.Metrics()
			p := got["h_seconds"].GetHistogram().GetDataPoints()
			if len(p) != 1 || p[0].GetCount() != 3 || p[0].GetSum() != 11 || !slices.Equal(p[0].GetBucketCounts(), []uint64{1, 1, 1}) || !slices.Equal(p[0].GetExplicitBounds(), []float64{1, 2}) {
				t.Errorf("%s: the histogram is %v", protocol, p)
			}
			if sum := got["n_total"].GetSum(); !sum.GetIsMonotonic() || sum.GetDataPoints()[0].GetAsDouble() != 3 {
				t.Errorf("%s: the counter is %v", protocol, sum)
			}
			if text := c.Text(); !strings.Contains(text, `"named"`) || strings.Contains(text, secret) {
				t.Errorf("%s: %s", protocol, text)
			}
			if s := e.Stats(); s != (export.Stats{Exported: 1, Pushed: 1}) || log.Len() > 0 {
				t.Errorf("%s: %+v, %s", protocol, s, log)
			}
		}
	}
}

// An exemplar is sent once, with the value and the trace of an observation.
func TestExport_Exemplars_NameTheirTraces(t *testing.T) {
	t.Parallel()
	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	c := exporttest.New(t)
	r := prometheus.NewRegistry()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h_seconds", Help: "A histogram.", Buckets: []float64{1, 2}})
	r.MustRegister(h)
	seen := func() []*metricspb.Exemplar {
		return c.Metrics()["h_seconds"].GetHistogram().GetDataPoints()[0].GetExemplars()
	}
	push := func(observe func()) {
		e, _ := begin(t, variables("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", c.URL+"/v1/metrics"), r)
		observe()
		e.Close() // pushes
	}
	push(func() {
		h.Observe(0.5)
		h.(prometheus.ExemplarObserver).ObserveWithExemplar(1.5, prometheus.Labels{"trace_id": traceID})
		h.(prometheus.ExemplarObserver).ObserveWithExemplar(9, prometheus.Labels{"trace_id": traceID, "more": "x"})
	})
	got := seen()
	if len(got) != 2 || got[0].GetAsDouble() != 1.5 || got[1].GetAsDouble() != 9 || len(got[0].GetFilteredAttributes()) != 0 || got[1].GetFilteredAttributes()[0].GetKey() != "more" {
		t.Fatalf("the exemplars are %v", got)
	}
	for _, x := range got {
		if hex.EncodeToString(x.GetTraceId()) != traceID || time.Since(time.Unix(0, int64(x.GetTimeUnixNano()))) > time.Minute {
			t.Errorf("the exemplar is %v", x)
		}
	}
	push(func() { h.Observe(0.5) })
	if got := seen(); len(got) != 0 {
		t.Errorf("they are sent again: %v", got)
	}
}

func TestExport_CollectorThatRefuses_LosesTheSpansAndSaysSo(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat(secret, 1<<20)
	for name, respond := range map[string]func(http.ResponseWriter){
		"400": func(w http.ResponseWriter) { http.Error(w, huge, http.StatusBadRequest) },
		"redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://"+secret)
			w.WriteHeader(http.StatusFound)
		},
		"cut": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"503": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
	} {
		c := exporttest.New(t)
		c.First(func(w http.ResponseWriter, _ *http.Request) bool { respond(w); return true })
		e, log := begin(t, c.Getenv("OTEL_BSP_EXPORT_TIMEOUT", "500"), nil)
		span(t, e)
		e.Close()
		if s := e.Stats(); s != (export.Stats{Failed: 1}) {
			t.Errorf("%s: %+v", name, s)
		}
		if text := log.String(); !strings.Contains(text, "did not take") || strings.Contains(text, secret) || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: the log says %s", name, text)
		}
	}
}

// It took them: what it says does not matter.
func TestExport_CollectorWithAHugeOrOddResponse_HasTakenTheSpans(t *testing.T) {
	t.Parallel()
	for _, body := range []string{strings.Repeat("x", 8<<20), "\xff\xff\xff"} {
		c := exporttest.New(t)
		c.First(func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte(body)); return true })
		e, _ := begin(t, c.Getenv(), nil)
		span(t, e)
		e.Close()
		if s := e.Stats(); s != (export.Stats{Exported: 1}) {
			t.Errorf("%+v", s)
		}
	}
}

func TestExport_CollectorThatIsBackSoon_GetsTheSpans(t *testing.T) {
	t.Parallel()
	c := exporttest.New(t)
	first := true
	c.First(func(w http.ResponseWriter, _ *http.Request) bool {
		if !first {
			return false
		}
		first = false
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	e, _ := begin(t, c.Getenv(), nil)
	span(t, e)
	began := time.Now()
	e.Close()
	if s := e.Stats(); s != (export.Stats{Exported: 1}) || len(c.Spans()) != 1 {
		t.Errorf("%+v after %v", s, time.Since(began))
	}
}
