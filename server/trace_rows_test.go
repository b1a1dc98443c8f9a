package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/certs/certstest"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/server/telemetry/export/exporttest"
	"github.com/digate/digate/test/await"
)

// Every span of the page occurs, and each with every attribute that the page gives it.
// None has an attribute that the page does not give it.
func TestTrace_SpansOfThePage_AreThoseThatOccur(t *testing.T) {
	t.Parallel()
	t.Run("scenes", func(t *testing.T) {
		for _, test := range []func(*testing.T){
			TestTrace_RetriedCall_HasASpanForEachAttempt,
			TestTrace_CopyWithARequestID_ShowsTheLedger,
			TestTrace_BulkItems_HaveTracesOfTheirOwnThatAreLinkedToTheStream,
			TestTrace_BulkOverREST_HasTheSpansOfAStream,
			TestTrace_WaitForTheLimit_IsASpan,
			TestTrace_CallersOfAFileOfAccounts_AreNamedByTheirSpans,
			TestTrace_CopyUnderAMark_ShowsItsRename,
			TestTrace_DoubtThatIsSettled_ShowsTheLedger,
			TestTrace_PagesOfAStream_AreSpans,
			TestTrace_LedgerThatFails_IsNamedByItsCause,
			TestTrace_SameCallTwice_WaitsForTheFirst,
			TestTrace_NothingThatCallersOrDigaSay_IsInASpan,
			longCopy,
		} {
			name := runtime.FuncForPC(reflect.ValueOf(test).Pointer()).Name()
			t.Run(name[strings.LastIndexByte(name, '.')+1:], test)
		}
	})
	page := pageOfSpans(t)
	seenSpans.mu.Lock()
	defer seenSpans.mu.Unlock()
	documented := make(map[string]map[string]bool)
	for _, row := range page {
		occurred := make(map[string]bool) // the attributes
		for _, span := range row.spans {
			documented[span] = row.attributes
			if seenSpans.byName[span] == nil {
				t.Errorf("no span is %s", span)
			}
			maps.Copy(occurred, seenSpans.byName[span])
		}
		for key := range row.attributes {
			if !occurred[key] {
				t.Errorf("no span of %v has %s", row.spans, key)
			}
		}
	}
	for span, attributes := range seenSpans.byName {
		if documented[span] == nil {
			t.Errorf("docs/tracing.md lacks %s", span)
		}
		for key := range attributes {
			if !documented[span][key] {
				t.Errorf("docs/tracing.md lacks %s of %s", key, span)
			}
		}
	}
}

// seenSpans are the attributes of all spans of the tests, by the names of the spans in the
// page.
var seenSpans struct {
	mu     sync.Mutex
	byName map[string]map[string]bool
}

// see notes spans.
func (all spans) see() {
	seenSpans.mu.Lock()
	defer seenSpans.mu.Unlock()
	if seenSpans.byName == nil {
		seenSpans.byName = make(map[string]map[string]bool)
	}
	for _, s := range all {
		name := nameInPage(kindOf(s), s.GetName())
		if seenSpans.byName[name] == nil {
			seenSpans.byName[name] = make(map[string]bool)
		}
		for _, a := range s.GetAttributes() {
			seenSpans.byName[name][a.GetKey()] = true
		}
	}
}

func kindOf(s *tracepb.Span) string {
	return strings.ToLower(strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_"))
}

// nameInPage returns the kind and name by which the page is searched for a span. The page
// has one route and one method for all.
func nameInPage(kind, name string) string {
	switch {
	case strings.Contains(name, " /"):
		return kind + " of a route"
	case strings.Contains(name, "/"):
		return kind + " of a method"
	default:
		return kind + " " + name
	}
}

// pageRow is a row of the page: spans that have the same attributes.
type pageRow struct {
	spans      []string
	attributes map[string]bool
}

var quotedName = regexp.MustCompile("`([^`]+)`")

// pageOfSpans returns the spans of docs/tracing.md.
func pageOfSpans(t *testing.T) (rows []pageRow) {
	t.Helper()
	page, err := os.ReadFile("../docs/tracing.md")
	must(t, err)
	_, text, _ := strings.Cut(string(page), "| span | kind | when | attributes |\n|---|---|---|---|\n")
	text, _, _ = strings.Cut(text, "\n\n")
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			t.Fatalf("a row of docs/tracing.md: %s", line)
		}
		row := pageRow{attributes: make(map[string]bool)}
		for _, name := range quotedName.FindAllStringSubmatch(cells[1], -1) {
			row.spans = append(row.spans, nameInPage(strings.TrimSpace(cells[2]), name[1]))
		}
		for _, key := range quotedName.FindAllStringSubmatch(cells[4], -1) {
			row.attributes[key[1]] = true
		}
		rows = append(rows, row)
	}
	if len(rows) < 5 {
		t.Fatalf("docs/tracing.md has %d rows of spans", len(rows))
	}
	return rows
}

func TestTrace_CallersOfAFileOfAccounts_AreNamedByTheirSpans(t *testing.T) {
	t.Parallel()
	c := exporttest.New(t)
	w := newWithAccounts(t)
	w.digate = traced(t, c, w.diga.URL, w.use)
	if e := w.copyAs(t, "billing", "acme", accountTemplate, "a copy"); e != nil {
		t.Fatal(e)
	}
	if rest := w.do(t, "POST", "/v1/integration/template/"+accountTemplate+"/copy", `{}`, w.asREST("billing", "acme")...); rest.status != 201 {
		t.Fatal(rest)
	}
	stream, err := w.rpc.BulkCopyTemplate(w.as(t.Context(), "billing", "acme"))
	must(t, err)
	must(t, stream.Send(item(accountTemplate, "an item")))
	must(t, stream.CloseSend())
	if _, summary, err := drain(stream); err != nil || summary.GetDone() != 1 {
		t.Fatal(summary, err)
	}
	all := w.spans(t, c)
	named := 0
	for _, s := range all {
		if s.GetKind() != tracepb.Span_SPAN_KIND_SERVER && s.GetName() != "bulk item" {
			continue
		}
		named++
		account, _ := attribute(s, "digate.account")
		caller, _ := attribute(s, "digate.caller")
		if account != "acme" || caller != "billing" {
			t.Errorf("%s is of the account %q and the caller %q", s.GetName(), account, caller)
		}
	}
	if named != 4 {
		t.Errorf("%d spans of calls:\n%s", named, all.tree())
	}
	if text := c.Text(); strings.Contains(text, marker) {
		t.Error("a secret is in a span")
	}
}

// Where nobody has a name, no span has one.
func TestTrace_CallersWithoutNames_HaveNoneInTheirSpans(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	d := traced(t, c, up.url(), auditTo(filepath.Join(t.TempDir(), "audit.log"), true))
	d.callInEveryWay(t, up, traceparent)
	for _, s := range d.spans(t, c) {
		for _, key := range []string{"digate.account", "digate.caller"} {
			if name, ok := attribute(s, key); ok {
				t.Errorf("%s has %s %q", s.GetName(), key, name)
			}
		}
	}
}

func TestTrace_OverTLS_IsTheSameTree(t *testing.T) {
	t.Parallel()
	a, c := certstest.NewAuthority(t), exporttest.New(t)
	diga := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, full)
	}))
	diga.TLS = &tls.Config{Certificates: []tls.Certificate{a.Certificate(t, authority.Request{Names: []string{"127.0.0.1"}})}, MinVersion: tls.VersionTLS12}
	diga.StartTLS()
	t.Cleanup(diga.Close)
	d := traced(t, c, diga.URL, func(cfg *config.Config) {
		withPair(t, a, cfg)
		cfg.Upstream.CAFile = a.File
	})
	ctx := withParent(withToken(t.Context(), token), traceparent)
	if _, err := dialTLS(t, d, a.Client(t)).CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
		t.Fatal(err)
	}
	for _, http2 := range []bool{false, true} {
		rest := send(t, httpTLS(t, a.Client(t), http2), http.MethodPost, d.rest, copyPath, `{}`, "traceparent", traceparent)
		if rest.status != 201 {
			t.Fatal(rest)
		}
	}
	all := d.spans(t, c)
	rest := `
		server: ` + copyRoute + ` scheme=https outcome=DONE
		  client: ` + copyRoute + ` outcome=DONE address=127.0.0.1`
	wantTree(t, all.tree("url.scheme", "digate.outcome", "server.address"), `
		server: `+copyMethod+` outcome=DONE
		  client: `+copyRoute+` outcome=DONE address=127.0.0.1`+rest+rest)
	for _, s := range all {
		if traceID(s) != callersTrace {
			t.Errorf("%s is in the trace %s", s.GetName(), traceID(s))
		}
	}
}

func TestTrace_CopyUnderAMark_ShowsItsRename(t *testing.T) {
	t.Parallel()
	const renamed = `{"id":"` + id + `","name":"asked","base_url":"https://x","auth_type":"NONE"}`
	up, c := newScripted(t), exporttest.New(t)
	d := traced(t, c, up.url(), marking)
	req := withID("marked")
	req.Name = new("asked")
	up.will(asDiga(full, renamed))
	if _, err := d.copyRPC(t, req); err != nil {
		t.Fatal(err)
	}
	made := asDiga(full, renamed)
	up.will(func(c net.Conn, r sent) bool {
		if strings.HasPrefix(r.line, "PATCH ") {
			return respond(500, nil, envelope)(c, r)
		}
		return made(c, r)
	})
	req.RequestId = "keeps its mark"
	if _, err := d.copyRPC(t, req); err != nil {
		t.Fatal(err)
	}
	wantTree(t, d.spans(t, c).tree("digate.method", "digate.outcome"), `
		server: `+copyMethod+` method=`+copyMethod+` outcome=DONE
		  internal: call with a request id outcome=DONE
		    internal: ledger claim
		    internal: ledger mark_sending
		    client: `+copyRoute+` outcome=DONE
		    internal: ledger mark_done
		    internal: rename method=diga.integration.v1.IntegrationService/UpdateIntegration outcome=DONE
		      client: PATCH /v1/integration/{integration_id} outcome=DONE
		server: `+copyMethod+` method=`+copyMethod+` outcome=DONE
		  internal: call with a request id outcome=DONE
		    internal: ledger claim
		    internal: ledger mark_sending
		    client: `+copyRoute+` outcome=DONE
		    internal: ledger mark_done
		    internal: rename method=diga.integration.v1.IntegrationService/UpdateIntegration outcome=UNKNOWN failed INTERNAL
		      client: PATCH /v1/integration/{integration_id} outcome=UNKNOWN failed 500
		    client: GET /v1/integration/{integration_id} outcome=DONE`)
}

// A doubt is settled by its mark or, without marks, by its caller, who is shown what it
// may have created.
func TestTrace_DoubtThatIsSettled_ShowsTheLedger(t *testing.T) {
	t.Parallel()
	c := exporttest.New(t)
	doubt := func(change ...func(*config.Config)) (*digate, digatev1.LedgerServiceClient) {
		_, url := emulate(t, emulator.Options{})
		d := traced(t, c, url, change...)
		if _, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: resetAfter, Name: new("n"), RequestId: "doubt"}); err == nil || err.Outcome.String() != "UNKNOWN" {
			t.Fatal(err)
		}
		return d, digatev1.NewLedgerServiceClient(d.conn)
	}
	ctx := withToken(t.Context(), token)
	get := &digatev1.GetCopyRequest{RequestId: "doubt"}
	marked, records := doubt(marking)
	if got, err := records.GetCopy(ctx, get); err != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_DONE {
		t.Fatal(got, err)
	}
	plain, records := doubt()
	if got, err := records.GetCopy(ctx, get); err != nil || len(got.GetCopy().GetCandidates()) != 1 {
		t.Fatal(got, err)
	}
	if _, err := records.ResolveCopy(ctx, &digatev1.ResolveCopyRequest{
		RequestId: "doubt", Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true},
	}); err != nil {
		t.Fatal(err)
	}
	const missing = "11111111-1111-4111-8111-111111111111"
	if _, err := plain.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: missing, RequestId: "rejected"}); err == nil || err.Outcome.String() != "REJECTED" {
		t.Fatal(err)
	}
	marked.spans(t, c)
	tree := plain.spans(t, c).tree()
	for _, name := range []string{"mark_unknown", "get", "named", "resolve", "release"} {
		if !strings.Contains(tree, "  internal: ledger "+name+"\n") {
			t.Errorf("no call of the ledger is %s in\n%s", name, tree)
		}
	}
}

func TestTrace_PagesOfAStream_AreSpans(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	d := traced(t, c, up.url())
	first := respond(200, nil, `{"data":[`+full+`],"has_more":true}`)
	list := func() error {
		stream, err := d.rpc.StreamIntegrations(withToken(t.Context(), token), &integrationv1.StreamIntegrationsRequest{})
		_, err = drained(t, stream, err, func(m *integrationv1.StreamIntegrationsResponse) string { return m.GetIntegration().GetId() })
		return err
	}
	up.will(inTurn(first, respond(200, nil, `{"data":[],"has_more":false}`)))
	must(t, list())
	up.will(inTurn(first, respond(200, nil, `{"data":[],"has_more":false}`)))
	if rest := d.do(t, "GET", "/v1/integration:stream", ""); rest.status != 200 {
		t.Fatal(rest)
	}
	up.will(inTurn(first, respond(500, nil, envelope)))
	if list() == nil {
		t.Fatal("no failure")
	}
	const read = "internal: inner read method=diga.integration.v1.IntegrationService/ListIntegrations"
	pages := `
		  ` + read + `
		    client: GET /v1/integration
		  ` + read
	wantTree(t, d.spans(t, c).tree("digate.method"), `
		server: diga.integration.v1.IntegrationService/StreamIntegrations method=diga.integration.v1.IntegrationService/StreamIntegrations`+pages+`
		    client: GET /v1/integration
		server: GET /v1/integration:stream method=diga.integration.v1.IntegrationService/StreamIntegrations`+pages+`
		    client: GET /v1/integration
		server: diga.integration.v1.IntegrationService/StreamIntegrations method=diga.integration.v1.IntegrationService/StreamIntegrations failed INTERNAL`+pages+` failed INTERNAL
		    client: GET /v1/integration failed 500`)
}

func TestTrace_BulkOverREST_HasTheSpansOfAStream(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	d := traced(t, c, up.url())
	body := `{"template_id":"` + templateID + `","request_id":"a"}` + "\n" + `{"template_id":"no id","request_id":"b"}` + "\n"
	if rest := d.do(t, "POST", bulkPath, body, "Content-Type", "application/x-ndjson", "traceparent", traceparent); rest.status != 200 {
		t.Fatal(rest)
	}
	up.will(raw("", true))
	if rest := d.do(t, "POST", bulkPath, `{"template_id":"`+templateID+`","request_id":"c"}`, "traceparent", traceparent); rest.status != 200 {
		t.Fatal(rest)
	}
	all := d.spans(t, c)
	var streams, items spans
	for _, s := range all {
		switch s.GetName() {
		case "POST " + bulkPath:
			streams = append(streams, s)
		case "bulk item":
			items = append(items, s)
		}
	}
	if len(streams) != 2 || len(items) != 3 {
		t.Fatalf("%d streams with %d items in\n%s", len(streams), len(items), all.tree())
	}
	linked := make(map[string]int)
	for _, s := range items {
		if links := s.GetLinks(); len(s.GetParentSpanId()) != 0 || traceID(s) == callersTrace || len(links) != 1 {
			t.Errorf("an item is below %x and has the links %v", s.GetParentSpanId(), links)
		} else {
			linked[string(links[0].GetSpanId())]++
		}
	}
	for i, want := range []struct{ items, unknown string }{{"2", "0"}, {"1", "1"}} {
		n, _ := attribute(streams[i], "digate.items")
		unknown, _ := attribute(streams[i], "digate.items_unknown")
		if n != want.items || unknown != want.unknown || traceID(streams[i]) != callersTrace || linked[string(streams[i].GetSpanId())] != 2-i {
			t.Errorf("a stream in the trace %s has %s items, %s of them unknown, and %d links", traceID(streams[i]), n, unknown, linked[string(streams[i].GetSpanId())])
		}
	}
}

func TestTrace_LedgerThatFails_IsNamedByItsCause(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	d := traced(t, c, up.url(), func(cfg *config.Config) { cfg.Ledger.Spec = "sqlite:" + path })
	must(t, os.Remove(path))
	if _, err := d.copyRPC(t, withID("lost")); err == nil || err.Reason != "LEDGER_UNAVAILABLE" {
		t.Fatal(err)
	}
	if rest := d.copyREST(t, templateID, `{}`, "Idempotency-Key", "lost too"); rest.status != 503 {
		t.Fatal(rest)
	}
	const failed = `
		  internal: call with a request id failed LEDGER_UNAVAILABLE
		    internal: ledger claim failed file_gone
		    internal: ledger release failed file_gone`
	wantTree(t, d.spans(t, c).tree("digate.reason"), `
		server: `+copyMethod+` reason=LEDGER_UNAVAILABLE failed UNAVAILABLE`+failed+`
		server: `+copyRoute+` reason=LEDGER_UNAVAILABLE failed 503`+failed)
}

// The second call waits for the first, until its time is over.
func TestTrace_SameCallTwice_WaitsForTheFirst(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	arrived, release := copiesWait(up)
	d := traced(t, c, up.url())
	first := make(chan error, 1)
	go func() {
		_, err := d.rpc.CopyTemplate(withToken(t.Context(), token), withID("same"))
		first <- err
	}()
	<-arrived
	ctx, cancel := context.WithTimeout(withToken(t.Context(), token), time.Second)
	defer cancel()
	if _, err := d.copyCtx(ctx, withID("same")); err == nil {
		t.Fatal("no failure")
	}
	close(release)
	must(t, <-first)
	tree := d.spans(t, c).tree()
	if want := "server: " + copyMethod + " failed DEADLINE_EXCEEDED\n  internal: wait for the same call\n"; !strings.Contains(tree, want) {
		t.Errorf("the spans are\n%s", tree)
	}
}

// longCopy is a copy that takes as long as a third of its lease.
func longCopy(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	arrived, release := copiesWait(up)
	d := traced(t, c, up.url())
	ended := make(chan error, 1)
	go func() {
		_, err := d.rpc.CopyTemplate(withToken(t.Context(), token), withID("long"))
		ended <- err
	}()
	<-arrived
	must(t, await.Poll(await.Patience, d.ended, func() error {
		if !strings.Contains(d.scrape(t), `digate_ledger_call_duration_seconds_count{operation="renew"} 1`) {
			return errors.New("the lease is not renewed")
		}
		return nil
	}))
	close(release)
	must(t, <-ended)
	wantTree(t, d.spans(t, c).tree(), `
		server: `+copyMethod+`
		  internal: call with a request id
		    internal: ledger claim
		    internal: ledger mark_sending
		    client: `+copyRoute+`
		    internal: ledger renew
		    internal: ledger mark_done`)
}
