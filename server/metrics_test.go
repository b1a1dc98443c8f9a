package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/telemetry/export/exporttest"
)

// Operators build on these names, so none may come or go without a change of the
// page.
func TestMetricsAndLogKeys_AreThoseOfTheDocs(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	published := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{}}`))
	}))
	t.Cleanup(published.Close)
	d := traced(t, exporttest.New(t), up.url(), asShipped, auditTo(filepath.Join(t.TempDir(), "audit.log"), false), func(c *config.Config) {
		c.ContractWatch.Interval, c.ContractWatch.URL = time.Hour, published.URL
		c.Upstream.BreakerDelay, c.Upstream.RetryBudget, c.MaxGRPCResponseBytes = time.Hour, 1, 64<<10
	})
	// A retry and drift, on both protocols.
	later := respond(503, map[string]string{"Retry-After": "0"}, envelope)
	up.will(inTurn(later, respond(201, nil, odd)))
	if _, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
		t.Fatal(err)
	}
	up.will(inTurn(later, respond(201, nil, odd)))
	if rest := d.copyREST(t, templateID, `{}`); rest.status != 201 {
		t.Fatal(rest)
	}
	// A response of which a gRPC caller does not get all.
	up.will(respond(201, nil, strings.Replace(full, `"description":"d"`, `"description":"`+strings.Repeat("d", 65<<10)+`"`, 1)))
	if _, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
		t.Fatal(err)
	}
	// A failure with a cause.
	up.will(raw("", true))
	if _, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err == nil {
		t.Fatal("no failure")
	}
	// A copy whose caller leaves.
	ctx, leave := context.WithCancel(withToken(t.Context(), token))
	release := make(chan struct{})
	up.will(func(c net.Conn, r sent) bool {
		leave()
		<-release
		return respond(201, nil, full)(c, r)
	})
	if _, err := d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "left"}); err == nil {
		t.Fatal("the caller did not leave")
	}
	// The copy is detached once the server has seen that.
	d.log.await(t, 1, `"code":"CANCELLED"`)
	close(release)
	// A bulk stream with a retry, and failures until the circuit opens.
	stream, err := d.rpc.BulkCopyTemplate(withToken(t.Context(), token))
	if err != nil {
		t.Fatal(err)
	}
	send := func(id string) {
		req := &integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: id}}
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
	}
	up.will(inTurn(later, respond(201, nil, full)))
	send("retried")
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	up.will(raw("", true))
	for i := range 30 {
		send(fmt.Sprint("bulk-", i))
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	d.log.await(t, 1, `"msg":"Diga's published contract was compared"`)
	d.log.await(t, 1, `"kind":"detached_call"`) // it is counted before it is logged
	metrics := d.scrape(t)
	d.stop() // a line may come after its response
	<-d.ended
	named := callByName(t)
	metrics += named.scrape(t)

	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string) // name: type and labels
	for _, row := range regexp.MustCompile("(?m)^\\| `(digate_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = row[2] + " " + strings.Join(regexp.MustCompile("[a-z]+").FindAllString(row[3], -1), ",")
	}
	exported := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (digate_\S+) (\S+)\n(?:digate_[a-z_]+(?:\{(.*)\})? )`).FindAllStringSubmatch(metrics, -1) {
		var labels []string
		for _, label := range regexp.MustCompile(`([a-z]+)="`).FindAllStringSubmatch(m[3], -1) {
			if label[1] != "le" { // a histogram's own
				labels = append(labels, label[1])
			}
		}
		if _, ok := exported[m[1]]; ok {
			continue // of the second server too
		}
		exported[m[1]] = m[2] + " " + strings.Join(labels, ",")
	}
	if !maps.Equal(exported, documented) {
		t.Errorf("exported %v\ndocumented %v", exported, documented)
	}
	for name, is := range exported {
		if name == "digate_ledger_oldest_doubt_seconds" || strings.HasSuffix(name, "_timestamp_seconds") {
			is = "histogram" // a gauge whose value is a time
		}
		if kind, _, _ := strings.Cut(is, " "); (kind == "counter") != strings.HasSuffix(name, "_total") || (kind == "histogram") != strings.HasSuffix(name, "_seconds") {
			t.Errorf("%s is a %s", name, kind)
		}
	}

	for _, label := range regexp.MustCompile(`(?m)^(digate_\S+)\{.*?\b(protocol|outcome|after|state|evidence|reason|kind)="([^"]*)"`).FindAllStringSubmatch(metrics, -1) {
		if label[1] != "digate_upstream_drift_total" && !strings.Contains(string(text), "`"+label[3]+"`") { // whose kinds are those of any field
			t.Errorf("%s: the page lacks the %s %q", label[1], label[2], label[3])
		}
	}

	logged := make(map[string]map[string]bool) // message: keys
	for line := range strings.Lines(d.log.String() + named.log.String()) {
		var keys map[string]any
		if err := json.Unmarshal([]byte(line), &keys); err != nil {
			t.Fatal(err)
		}
		message, _ := keys["msg"].(string)
		if logged[message] == nil {
			logged[message] = make(map[string]bool)
		}
		for key := range keys {
			if !slices.Contains([]string{"time", "level", "msg"}, key) {
				logged[message][key] = true
			}
		}
	}
	want := map[string]map[string]bool{"call": {}, "operation": {}}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (call|operation|both) \\|").FindAllStringSubmatch(string(text), -1) {
		for message := range want {
			if row[2] == message || row[2] == "both" {
				want[message][row[1]] = true
			}
		}
	}
	for message, keys := range want {
		if !maps.Equal(logged[message], keys) {
			t.Errorf("the keys of %q are %v\ndocumented %v", message, slices.Sorted(maps.Keys(logged[message])), slices.Sorted(maps.Keys(keys)))
		}
	}
}

// callByName returns a server that speaks TLS and keeps its ledger in a file, and that a caller with a name called
// alone and in bulk.
func callByName(t *testing.T) *withAccounts {
	t.Helper()
	w := startWithAccounts(t, func(c *config.Config) {
		c.TLS.CertFile, c.TLS.KeyFile = suiteTLS.files()
		c.Ledger.Spec = "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
	})
	if e := w.copyAs(t, "billing", "", accountTemplate, ""); e != nil {
		t.Fatal(e)
	}
	stream, err := w.rpc.BulkCopyTemplate(w.as(t.Context(), "billing", ""))
	must(t, err)
	must(t, stream.Send(item(accountTemplate, "named")))
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	return w
}
