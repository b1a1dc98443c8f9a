package server_test

import (
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/server/telemetry/export/exporttest"
)

// scrapeOpenMetrics returns the metrics as Prometheus asks for them where it stores
// exemplars.
func (d *digate) scrapeOpenMetrics(t *testing.T) string {
	t.Helper()
	got := send(t, d.http, http.MethodGet, d.adminURL, "/metrics", "", "Accept", "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5")
	if is := got.header.Get("Content-Type"); !strings.HasPrefix(is, "application/openmetrics-text") || !strings.HasSuffix(got.body, "# EOF\n") {
		t.Fatalf("the metrics are %s", is)
	}
	return got.body
}

// exemplars returns the traces that are examples in a scrape, by the series
// without its bound.
func exemplars(scrape string) map[string]string {
	found := make(map[string]string)
	for _, line := range regexp.MustCompile(`(?m)^(\w+)_bucket\{(.*?),?le="[^"]*"\} \d+ # \{(.*)\} [0-9.e-]+ [0-9.e+]+$`).FindAllStringSubmatch(scrape, -1) {
		found[line[1]+"{"+line[2]+"}"] = line[3]
	}
	return found
}

// An operator gets from a slow bucket of a histogram to a trace of a call that is in it.
func TestExemplars_SampledCalls_AreExamplesOfTheirDurations(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	d := traced(t, c, up.url())
	if _, err := d.copyCtx(withParent(withToken(t.Context(), token), traceparent), withID("sampled")); err != nil {
		t.Fatal(err)
	}
	if rest := d.copyREST(t, templateID, `{}`, "traceparent", traceparent); rest.status != 201 {
		t.Fatal(rest)
	}
	got, want := exemplars(d.scrapeOpenMetrics(t)), `trace_id="`+callersTrace+`"`
	for _, series := range []string{
		`digate_call_duration_seconds{method="` + copyMethod + `",protocol="grpc"}`,
		`digate_call_duration_seconds{method="` + copyMethod + `",protocol="rest"}`,
		`digate_upstream_request_duration_seconds{method="` + copyMethod + `"}`,
		`digate_ledger_call_duration_seconds{operation="claim"}`,
	} {
		if got[series] != want {
			t.Errorf("the example of %s is %q", series, got[series])
		}
	}

	plain := d.admin(t, "/metrics")
	if is := plain.header.Get("Content-Type"); !strings.HasPrefix(is, "text/plain") {
		t.Errorf("a client that accepts anything gets %s", is)
	}
	if strings.Contains(plain.body, "trace_id") {
		t.Error("the plain format has exemplars, which it cannot have")
	}
	t.Run("promtool", func(t *testing.T) {
		cmd := exec.Command(need.Program(t, "promtool"), "check", "metrics")
		cmd.Stdin = strings.NewReader(plain.body)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// A copy of a bulk stream is in a trace of its own, and so are its requests to Diga.
func TestExemplars_CopyInBulk_IsAnExampleByItsOwnTrace(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	d := traced(t, c, up.url())
	stream := d.bulk(t.Context(), t)
	must(t, stream.Send(item(templateID, "one")))
	must(t, stream.CloseSend())
	if _, summary, err := drain(stream); err != nil || summary.GetDone() != 1 {
		t.Fatal(summary, err)
	}
	scrape := d.scrapeOpenMetrics(t)
	of := d.spans(t, c).named(t, "bulk item")
	if got, want := exemplars(scrape)[`digate_upstream_request_duration_seconds{method="`+copyMethod+`"}`], `trace_id="`+traceID(of)+`"`; got != want {
		t.Errorf("the example is %q, want %q", got, want)
	}
}

// A trace that nobody keeps is no example.
func TestExemplars_CallsThatAreNotSampled_AreNoExamples(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	unsampled := strings.TrimSuffix(traceparent, "01") + "00"
	for name, d := range map[string]*digate{"not sampled": traced(t, exporttest.New(t), up.url()), "no traces": start(t, up.url())} {
		if _, err := d.copyCtx(withParent(withToken(t.Context(), token), unsampled), &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
			t.Fatal(err)
		}
		if got := d.scrapeOpenMetrics(t); strings.Contains(got, "# {") {
			t.Errorf("%s: examples %v", name, exemplars(got))
		}
	}
}
