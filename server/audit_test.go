package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/server/telemetry/export/exporttest"
	"github.com/digate/digate/test/await"
)

// auditTo returns a change of the settings that turns the audit log on.
func auditTo(path string, required bool) func(*config.Config) {
	return func(c *config.Config) { c.Audit.Path, c.Audit.Required = path, required }
}

type auditLine map[string]any

func (l auditLine) text(key string) string {
	if l[key] == nil {
		return ""
	}
	return fmt.Sprint(l[key])
}

// audited ends the server and returns the lines of its audit log with the event.
func (d *digate) audited(t *testing.T, path, event string) []auditLine {
	t.Helper()
	d.stop()
	<-d.ended
	text, err := os.ReadFile(path)
	must(t, err)
	_, _ = output.Write(text)
	var lines []auditLine
	for line := range strings.Lines(string(text)) {
		var l auditLine
		must(t, json.Unmarshal([]byte(line), &l))
		if l["event"] == event {
			lines = append(lines, l)
		}
	}
	return lines
}

// short returns the lines in a few words each, sorted.
func short(lines []auditLine, keys ...string) string {
	var all []string
	for _, l := range lines {
		method := l.text("method")
		words := []string{l.text("kind"), l.text("protocol"), method[strings.LastIndexByte(method, '/')+1:], l.text("code"), l.text("outcome"), l.text("reason")}
		for _, key := range keys {
			words = append(words, l.text(key))
		}
		all = append(all, strings.Join(strings.Fields(strings.Join(words, " ")), " "))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

const unknownTemplate = "11111111-1111-4111-8111-111111111111"

// Every write has one line, whatever became of it, and whoever asked for it. A read
// has none.
func TestAudit_EveryWrite_HasALine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	_, url := emulated(t)
	d := start(t, url, auditTo(path, false))
	in, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, ApiKey: new(apiKey), Variables: structOf("k", varSec)})
	if e != nil {
		t.Fatal(e)
	}
	for range 2 { // the second one replays
		if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "r-" + marker}); e != nil {
			t.Fatal(e)
		}
	}
	_, _ = d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: unknownTemplate})                        // Diga has none
	_, _ = d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: "no-uuid-" + marker})                    // is refused here
	_, _ = d.copyCtx(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: templateID})                   // by nobody
	_, _ = d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: "00000000-0000-4000-8000-000000000603"}) // in doubt
	_, _ = d.rpc.GetIntegration(withToken(t.Context(), token), &integrationv1.GetIntegrationRequest{IntegrationId: in.GetId()})
	d.copyREST(t, templateID, `{"api_key":"`+apiKey+`"}`)
	d.copyREST(t, templateID, `{"name":`)
	d.copyREST(t, templateID, `{}`, "Authorization", "")
	d.do(t, "PATCH", "/v1/integration/"+in.GetId(), `{"name":"other"}`)
	d.do(t, "DELETE", "/v1/integration/"+in.GetId(), "")
	d.do(t, "GET", "/v1/integration", "")
	lines := d.audited(t, path, "end")
	want := `call grpc CopyTemplate INVALID_ARGUMENT NOT_SENT INVALID_REQUEST 0
call grpc CopyTemplate NOT_FOUND REJECTED INTEGRATION_TEMPLATE_NOT_FOUND 404 ` + unknownTemplate + ` 1
call grpc CopyTemplate OK DONE 201 ` + templateID + ` 1
call grpc CopyTemplate OK DONE 201 ` + templateID + ` 1
call grpc CopyTemplate OK DONE ` + templateID + ` 1
call grpc CopyTemplate UNAUTHENTICATED NOT_SENT MISSING_CREDENTIAL 0
call grpc CopyTemplate UNKNOWN UNKNOWN OUTCOME_UNKNOWN 00000000-0000-4000-8000-000000000603 1
call rest CopyTemplate INVALID_ARGUMENT NOT_SENT INVALID_REQUEST 0
call rest CopyTemplate OK DONE 201 ` + templateID + ` 1
call rest CopyTemplate UNAUTHENTICATED NOT_SENT MISSING_CREDENTIAL 0
call rest DeleteIntegration OK DONE 204 1
call rest UpdateIntegration OK DONE 200 1`
	if got := short(lines, "upstream_status", "template_id", "attempts"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	records, replayed := make(map[string]int), 0
	for _, l := range lines {
		done := l["code"] == "OK"
		switch {
		case l["authenticated_by"] == "none":
			if l["caller"] != nil {
				t.Errorf("a caller who is nobody: %v", l)
			}
		case l["authenticated_by"] != "passthrough" || len(l.text("caller")) < 16:
			t.Errorf("by %v, caller %v", l["authenticated_by"], l["caller"])
		}
		if _, _, err := net.SplitHostPort(l.text("peer")); err != nil || l.text("x_request_id") == "" || (l.text("integration_id") != "") != done {
			t.Errorf("%v", l)
		}
		if l["ledger_record"] != nil {
			records[l.text("ledger_record")]++
		}
		if l["replayed"] == true {
			replayed++
		}
		if l["protocol"] == "rest" && l["http_status"] == nil {
			t.Errorf("no status of the response: %v", l)
		}
	}
	if len(records) != 1 || slices.Collect(maps.Values(records))[0] != 2 || replayed != 1 {
		t.Errorf("records %v, replayed %d", records, replayed)
	}
}

// Of a caller with a name, the line has the name, the account, and what was denied.
func TestAudit_NamedCallers_AreNamedAndWhatTheyWereDeniedToo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	w := startWithAccounts(t, auditTo(path, false))
	if e := w.copyAs(t, "billing", "", accountTemplate, ""); e != nil {
		t.Fatal(e)
	}
	if e := w.copyAs(t, "billing", "", unknownTemplate, "x"); e == nil || e.Code != codes.PermissionDenied {
		t.Fatal(e)
	}
	if e := w.copyAs(t, "billing", "globex", accountTemplate, ""); e == nil {
		t.Fatal("another's account")
	}
	if got := w.do(t, "DELETE", "/v1/integration/"+unknownTemplate, "", w.asREST("billing", "acme")...); got.status != 403 {
		t.Fatal(got)
	}
	records := digatev1.NewLedgerServiceClient(w.conn)
	_, err := records.ResolveCopy(w.as(t.Context(), "billing", ""), &digatev1.ResolveCopyRequest{RequestId: "x"})
	if apierror.FromError(err) == nil {
		t.Fatal("a doubt was settled")
	}
	stream, err := w.rpc.BulkCopyTemplate(w.as(t.Context(), "billing", ""))
	must(t, err)
	must(t, stream.Send(item(accountTemplate, "mine")))
	must(t, stream.Send(item(unknownTemplate, "denied")))
	must(t, stream.CloseSend())
	if _, _, err := drain(stream); err != nil {
		t.Fatal(err)
	}
	got := short(w.audited(t, path, "end"), "account", "caller", "authenticated_by", "template_id")
	want := `bulk_item grpc CopyTemplate OK DONE acme billing token ` + accountTemplate + `
bulk_item grpc CopyTemplate PERMISSION_DENIED NOT_SENT NOT_ALLOWED acme billing token ` + unknownTemplate + `
call grpc CopyTemplate OK DONE acme billing token ` + accountTemplate + `
call grpc CopyTemplate PERMISSION_DENIED NOT_SENT NOT_ALLOWED acme billing token ` + unknownTemplate + `
call grpc CopyTemplate PERMISSION_DENIED NOT_SENT NOT_ALLOWED globex billing token
call grpc ResolveCopy PERMISSION_DENIED NOT_APPLICABLE NOT_ALLOWED acme billing token
call rest DeleteIntegration PERMISSION_DENIED NOT_SENT NOT_ALLOWED acme billing token`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAudit_ThousandCopiesInBulk_HaveALineEach(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"grpc", "rest"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "audit.log")
			up := newScripted(t)
			up.will(respond(201, nil, full))
			d := start(t, up.url(), auditTo(path, true))
			const items = 1000
			switch protocol {
			case "grpc":
				stream := d.bulk(t.Context(), t)
				go func() {
					for i := range items {
						_ = stream.Send(item(templateID, fmt.Sprint("id-", i)))
					}
					_ = stream.CloseSend()
				}()
				if _, summary, err := drain(stream); err != nil || summary.GetDone() != items {
					t.Fatal(summary, err)
				}
			default:
				var body strings.Builder
				for i := range items {
					fmt.Fprintf(&body, `{"template_id":%q,"request_id":"id-%d"}`+"\n", templateID, i)
				}
				if got := d.do(t, "POST", "/v1/integration/template:bulkCopy", body.String(), "Content-Type", "application/x-ndjson"); got.status != 200 {
					t.Fatal(got)
				}
			}
			ends, records, numbers := d.audited(t, path, "end"), make(map[string]bool), make(map[string]bool)
			for _, l := range ends {
				if l["kind"] != "bulk_item" || l["protocol"] != protocol || l["code"] != "OK" || l.text("integration_id") == "" || l.text("peer") == "" || l.text("x_request_id") == "" {
					t.Fatalf("%v", l)
				}
				records[l.text("ledger_record")], numbers[l.text("write")] = true, true
			}
			if len(ends) != items || len(records) != items || len(numbers) != items {
				t.Errorf("%d lines, %d records, %d numbers", len(ends), len(records), len(numbers))
			}
			begun := 0
			for _, l := range d.audited(t, path, "begin") {
				if begun++; !numbers[l.text("write")] || l["template_id"] != templateID {
					t.Errorf("a write that has no end: %v", l)
				}
			}
			if begun != items {
				t.Errorf("%d began", begun)
			}
		})
	}
}

func TestAudit_StreamThatIsRefused_HasALine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	up := newScripted(t)
	d := start(t, up.url(), auditTo(path, false))
	stream, err := d.rpc.BulkCopyTemplate(t.Context()) // without a credential
	must(t, err)
	if _, err := stream.Recv(); err == nil {
		t.Fatal("a stranger's stream")
	}
	d.do(t, "POST", "/v1/integration/template:bulkCopy", "{}\n", "Authorization", "")
	want := "call grpc BulkCopyTemplate UNAUTHENTICATED NOT_SENT MISSING_CREDENTIAL\ncall rest BulkCopyTemplate UNAUTHENTICATED NOT_SENT MISSING_CREDENTIAL"
	if got := short(d.audited(t, path, "end")); got != want {
		t.Errorf("got\n%s", got)
	}
}

// A copy that outlives its caller has a line of its own, which says what became of it
// and has the number with which it began.
func TestAudit_CallerLeaves_TheCopyHasItsLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	up := newScripted(t)
	d := start(t, up.url(), auditTo(path, true))
	ctx, leave := context.WithCancel(withToken(t.Context(), token))
	release := make(chan struct{})
	up.will(func(c net.Conn, r sent) bool {
		leave()
		<-release
		return respond(201, nil, full)(c, r)
	})
	if _, e := d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "left"}); e == nil {
		t.Fatal("the caller did not leave")
	}
	d.log.await(t, 1, `"code":"CANCELLED"`)
	close(release)
	d.log.await(t, 1, `"kind":"detached_call"`)
	ends, begins := d.audited(t, path, "end"), d.audited(t, path, "begin")
	if got, want := short(ends), "call grpc CopyTemplate CANCELLED UNKNOWN OUTCOME_UNKNOWN\ndetached_call grpc CopyTemplate OK DONE"; got != want {
		t.Fatalf("got\n%s", got)
	}
	if len(begins) != 1 || begins[0].text("ledger_record") == "" {
		t.Fatalf("%v", begins)
	}
	for _, l := range ends {
		if detached := l["kind"] == "detached_call"; detached != (l.text("write") == begins[0].text("write")) || detached != (l.text("integration_id") != "") ||
			l["ledger_record"] != begins[0]["ledger_record"] || l["x_request_id"] != begins[0]["x_request_id"] || l["template_id"] != templateID {
			t.Errorf("%v", l)
		}
	}
}

// Where the audit log is required and cannot be written, no write leaves, on either
// protocol, and reads go on.
func TestAudit_RequiredAndNotWritten_RefusesEveryWriteAndNoRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	up := newScripted(t)
	d := start(t, up.url(), auditTo(path, true))
	up.will(respond(201, nil, full))
	if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
		t.Fatal(e)
	}
	// The file is gone, and a folder is in its place.
	must(t, errors.Join(os.Rename(path, path+".1"), os.Mkdir(path, 0o700)))
	up.will(respond(200, nil, full))
	for range 2 {
		for _, id := range []string{"", "with-an-id"} {
			_, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: id})
			if e == nil || e.Code != codes.Unavailable || e.Reason != apierror.ReasonAuditUnavailable || e.Outcome.String() != "NOT_SENT" || e.RetryAfter == nil {
				t.Errorf("%v", e)
			}
		}
	}
	if got := d.do(t, "DELETE", "/v1/integration/"+templateID, ""); got.status != 503 || !strings.Contains(got.body, "AUDIT_UNAVAILABLE") || got.header.Get("Digate-Outcome") != "NOT_SENT" {
		t.Errorf("%v", got)
	}
	stream := d.bulk(t.Context(), t)
	must(t, stream.Send(item(templateID, "in-bulk")))
	must(t, stream.CloseSend())
	if _, summary, err := drain(stream); err != nil || summary.GetNotSent() != 1 {
		t.Errorf("%v, %v", summary, err)
	}
	up.none(t)
	if got := d.do(t, "GET", "/v1/integration/"+templateID, ""); got.status != 200 {
		t.Errorf("a read: %v", got)
	}
	if got := d.admin(t, "/readyz"); got.status != 503 || got.body != "the audit log cannot be written: is a directory\n" {
		t.Errorf("readyz: %v", got)
	}
	if got := d.admin(t, "/status.json").body; !strings.Contains(got, `"failing": "is a directory"`) || !strings.Contains(got, `"required": true`) {
		t.Error(got)
	}
	metrics := d.scrape(t)
	for _, want := range []string{"digate_audit_up 0", "digate_audit_writes_refused_total 6", "digate_audit_lines_lost_total 0"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s", want)
		}
	}
	// It comes back by itself, and the lines of what was refused with it.
	must(t, os.Remove(path))
	d.log.await(t, 1, `"msg":"the audit log can be written again"`)
	up.will(respond(201, nil, full))
	if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "with-an-id"}); e != nil {
		t.Error(e)
	}
	if got := d.admin(t, "/readyz"); got.status != 200 || got.body != "ok\n" {
		t.Errorf("readyz: %v", got)
	}
	refused := 0
	for _, l := range d.audited(t, path, "end") {
		if l["reason"] == apierror.ReasonAuditUnavailable {
			refused++
		}
	}
	if refused != 6 {
		t.Errorf("%d lines of refused writes", refused)
	}
}

// A doubt is not settled without its line either.
func TestAudit_RequiredAndNotWritten_SettlesNoDoubt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	e, url := emulate(t, emulator.Options{}) // on the same clock as the ledger
	d := start(t, url, auditTo(path, true))
	mine := withToken(t.Context(), token)
	if _, e := d.copyCtx(mine, &integrationv1.CopyTemplateRequest{TemplateId: "00000000-0000-4000-8000-000000000603", RequestId: "a"}); e == nil {
		t.Fatal("no doubt")
	}
	made := e.Integrations(token)[0].ID
	records := digatev1.NewLedgerServiceClient(d.conn)
	resolve := func() *apierror.Error {
		_, err := records.ResolveCopy(mine, &digatev1.ResolveCopyRequest{RequestId: "a", Resolution: &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: made}})
		if err == nil {
			return nil
		}
		return apierror.FromError(err)
	}
	must(t, errors.Join(os.Rename(path, path+".1"), os.Mkdir(path, 0o700)))
	if got := resolve(); got == nil || got.Reason != apierror.ReasonAuditUnavailable {
		t.Errorf("%v", got)
	}
	must(t, os.Remove(path))
	if err := await.Poll(await.Patience, nil, func() error { // until its writer tries again
		if got := resolve(); got != nil {
			return got
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := d.audited(t, path, "end")
	if last := got[len(got)-1]; last["code"] != "OK" || last["integration_id"] != made || !strings.HasSuffix(last.text("method"), "ResolveCopy") || last.text("ledger_record") == "" {
		t.Errorf("%v", last)
	}
}

// Where it is not required, calls go on without it, and operators see it.
func TestAudit_NotWritten_CallsGoOnAndOperatorsSeeIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	up := newScripted(t)
	d := start(t, up.url(), auditTo(path, false))
	must(t, errors.Join(os.Remove(path), os.Mkdir(path, 0o700)))
	up.will(respond(201, nil, full))
	for range 3 {
		if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
			t.Error(e)
		}
	}
	d.log.await(t, 1, `"msg":"the audit log cannot be written","cause":"is a directory"`)
	if got := d.admin(t, "/readyz"); got.status != 200 || got.body != "ok\nthe audit log cannot be written: is a directory\n" {
		t.Errorf("readyz: %v", got)
	}
	if n := strings.Count(d.log.String(), "the audit log cannot be written"); n != 1 {
		t.Errorf("said %d times", n)
	}
	must(t, os.Remove(path))
	d.log.await(t, 1, `"msg":"the audit log can be written again"`)
	if got := d.audited(t, path, "end"); len(got) != 3 {
		t.Errorf("%d lines", len(got))
	}
}

// Anybody can be refused. A stranger can fill no disk with that.
func TestAudit_StrangersRefusedWrites_AreBoundedAndCounted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	up := newScripted(t)
	d := start(t, up.url(), auditTo(path, false))
	const calls = 200
	for range calls {
		_, _ = d.copyCtx(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: templateID})
	}
	omitted := 0
	must(t, await.Poll(await.Patience, nil, func() error {
		if got := regexp.MustCompile(`digate_audit_lines_omitted_total (\d+)`).FindStringSubmatch(d.scrape(t)); got[1] == "0" {
			return errors.New("nothing was left out")
		}
		return nil
	}))
	must(t, await.Poll(await.Patience, nil, func() error {
		text, err := os.ReadFile(path)
		if err == nil && !strings.Contains(string(text), `"event":"omitted"`) {
			err = errors.New("not said")
		}
		return err
	}))
	lines := d.audited(t, path, "end")
	for _, l := range d.audited(t, path, "omitted") {
		omitted += int(l["lines"].(float64))
	}
	if len(lines)+omitted > calls || omitted == 0 || len(lines) > calls/2 {
		t.Errorf("%d lines, and %d left out, of %d", len(lines), omitted, calls)
	}
}

// An auditor finds the trace of a write, on both protocols, of each copy of a bulk stream,
// and of a copy that its caller left.
func TestAudit_TracedWrites_NameTheirTrace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	d := traced(t, c, up.url(), auditTo(path, true))
	ctx := withParent(withToken(t.Context(), token), traceparent)
	if _, e := d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
		t.Fatal(e)
	}
	if rest := d.copyREST(t, templateID, `{}`, "traceparent", traceparent); rest.status != 201 {
		t.Fatal(rest)
	}
	if rest := d.copyREST(t, "no-uuid", `{}`, "traceparent", traceparent); rest.status != 422 {
		t.Fatal(rest)
	}
	stream := d.bulk(withParent(t.Context(), traceparent), t)
	must(t, stream.Send(item(templateID, "first")))
	must(t, stream.Send(item(templateID, "second")))
	must(t, stream.CloseSend())
	if _, summary, err := drain(stream); err != nil || summary.GetDone() != 2 {
		t.Fatal(summary, err)
	}
	left, leave := context.WithCancel(ctx)
	release := make(chan struct{})
	up.will(func(c net.Conn, r sent) bool {
		leave()
		<-release
		return respond(201, nil, full)(c, r)
	})
	if _, e := d.copyCtx(left, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "left"}); e == nil {
		t.Fatal("the caller did not leave")
	}
	d.log.await(t, 1, `"code":"CANCELLED"`)
	close(release)
	d.log.await(t, 1, `"kind":"detached_call"`)
	items := make(map[string]bool) // the traces of the copies of the stream
	for _, s := range d.spans(t, c) {
		if s.GetName() == "bulk item" {
			items[traceID(s)] = true
		}
	}
	if len(items) != 2 {
		t.Fatalf("%d copies have a trace", len(items))
	}
	begun := make(map[string]string)
	for _, l := range d.audited(t, path, "begin") {
		begun[l.text("write")] = l.text("trace_id")
	}
	ends := d.audited(t, path, "end")
	if len(ends) != 7 || len(begun) != 5 {
		t.Errorf("%d ends of %d writes", len(ends), len(begun))
	}
	for _, l := range ends {
		id := l.text("trace_id")
		if l["kind"] == "bulk_item" {
			if !items[id] {
				t.Errorf("the trace of a copy of a stream is %q", id)
			}
			delete(items, id)
		} else if id != callersTrace {
			t.Errorf("the trace is %q: %v", id, l)
		}
		if first, ok := begun[l.text("write")]; ok && first != id {
			t.Errorf("a write that began in the trace %q ended in %q", first, id)
		}
	}
}

// Somebody can look up a trace that is not sampled here only if the caller knows of it.
func TestAudit_CallThatIsNotSampled_NamesTheTraceOfItsCallerAlone(t *testing.T) {
	t.Parallel()
	unsampled := strings.TrimSuffix(traceparent, "01") + "00"
	for name, variables := range map[string][]string{
		"the caller decides": {"OTEL_TRACES_SAMPLER", "parentbased_always_off"}, "nothing is sampled": {"OTEL_TRACES_SAMPLER", "always_off"},
	} {
		path := filepath.Join(t.TempDir(), "audit.log")
		_, url := emulated(t)
		cfg, c := settings(t, url), exporttest.New(t)
		auditTo(path, true)(&cfg)
		d := serveWith(t, cfg, server.Options{Getenv: c.Getenv(variables...)})
		for _, parent := range []string{unsampled, ""} {
			if _, e := d.copyCtx(withParent(withToken(t.Context(), token), parent), &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
				t.Fatal(e)
			}
			var header []string
			if parent != "" {
				header = []string{"traceparent", parent}
			}
			if rest := d.copyREST(t, templateID, `{}`, header...); rest.status != 201 {
				t.Fatal(rest)
			}
		}
		for _, event := range []string{"begin", "end"} {
			var got []string
			for _, l := range d.audited(t, path, event) {
				got = append(got, l.text("protocol")+" "+l.text("trace_id"))
			}
			if want := []string{"grpc " + callersTrace, "rest " + callersTrace, "grpc ", "rest "}; !slices.Equal(got, want) {
				t.Errorf("%s: the lines %q have the traces %q, want %q", name, event, got, want)
			}
		}
		if n := len(c.Spans()); n > 0 {
			t.Errorf("%s: %d spans were sent", name, n)
		}
	}
}

// Auditors build on these keys.
func TestAudit_Keys_AreThoseOfTheDocs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	w := newWithAccounts(t)
	w.digate = traced(t, exporttest.New(t), w.diga.URL, w.use, auditTo(path, true))
	if e := w.copyAs(t, "billing", "", accountTemplate, "a"); e != nil {
		t.Fatal(e)
	}
	if e := w.copyAs(t, "billing", "", accountTemplate, "a"); e == nil { // Diga's stand-in shows none
		t.Fatal("a replay")
	}
	w.copyREST(t, unknownTemplate, `{}`, w.asREST("billing", "acme")...)
	w.do(t, "DELETE", "/v1/integration/"+unknownTemplate+"/tool/"+unknownTemplate, "", w.asREST("ops", "acme")...)
	page, err := os.ReadFile("../docs/audit.md")
	must(t, err)
	documented := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = true
	}
	seen := make(map[string]bool)
	for _, event := range []string{"opened", "begin", "end", "closed"} {
		for _, l := range w.audited(t, path, event) {
			if l["audit"] != 1.0 || !documented[l.text("event")] {
				t.Errorf("%v", l)
			}
			for key := range l {
				seen[key] = true
			}
		}
	}
	for _, event := range []string{"opened", "reopened", "begin", "end", "closed", "lost", "omitted"} {
		seen[event] = true
	}
	seen["lines"] = true // in a test of its own
	if !maps.Equal(seen, documented) {
		t.Errorf("keys %v\ndocumented %v", slices.Sorted(maps.Keys(seen)), slices.Sorted(maps.Keys(documented)))
	}
}
