package server_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
)

// A ledger whose file is deleted is lost once, whatever many calls meet, and the log
// and readiness name the cause.
func TestLedger_FileIsDeleted_IsLostOnceWithItsCause(t *testing.T) {
	t.Parallel()
	for _, needed := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "ledger.db")
		up := newScripted(t)
		up.will(respond(201, nil, full))
		d := start(t, up.url(), func(c *config.Config) { c.Ledger.Spec, c.Admin.ReadyNeedsLedger = "sqlite:"+path, needed })
		if _, e := d.copyRPC(t, withID("before")); e != nil {
			t.Fatal(e)
		}
		if ready := d.admin(t, "/readyz"); ready.status != 200 {
			t.Fatal(ready)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			if _, e := d.copyRPC(t, withID(fmt.Sprint("id-", i))); e == nil || e.Reason != "LEDGER_UNAVAILABLE" {
				t.Fatal(e)
			}
		}
		d.log.await(t, 1, `"level":"ERROR","msg":"the ledger is lost: no call with a request id is sent until it is back","cause":"file_gone"`)
		want := response{status: 200, body: "ok\n"}
		if needed {
			want = response{status: 503, body: "the ledger is lost: file_gone\n"}
		}
		if got := d.admin(t, "/readyz"); got.status != want.status || got.body != want.body {
			t.Errorf("needed %v: %d, %q", needed, got.status, got.body)
		}
		metrics := d.scrape(t)
		for _, line := range []string{`digate_ledger_up 0`, `digate_ledger_lost_total 1`, `digate_ledger_errors_total{cause="file_gone",operation="claim"} 20`} {
			if !strings.Contains(metrics, "\n"+line+"\n") && !strings.Contains(metrics, "\n"+strings.Replace(line, "} 20", "} 21", 1)+"\n") { // a probe is a claim too, and may not count
				t.Errorf("needed %v: no %s in\n%s", needed, line, metrics)
			}
		}
		if got := strings.Count(d.log.String(), "the ledger is lost"); got != 1 {
			t.Errorf("%d lines tell of the loss", got)
		}
	}
}

func TestLedger_WhatItHolds_IsInTheMetrics(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.Ledger.Spec = "sqlite:" + filepath.Join(t.TempDir(), "ledger.db") })
	first := d.scrape(t)
	for _, line := range []string{
		`digate_ledger_up 1`, `digate_ledger_records{state="unknown"} 0`, `digate_ledger_oldest_doubt_seconds 0`, `digate_ledger_connections_limit 4`,
		`digate_ledger_errors_total{cause="other",operation="mark_done"} 0`,
	} {
		if !strings.Contains(first, "\n"+line+"\n") {
			t.Errorf("no %s in\n%s", line, first)
		}
	}
	up.will(raw("", true))
	if _, e := d.copyRPC(t, withID("in-doubt")); e == nil {
		t.Fatal("no failure")
	}
	if got := d.scrape(t); !strings.Contains(got, `digate_ledger_call_duration_seconds_count{operation="mark_unknown"} 1`) {
		t.Errorf("the call is not in\n%s", got)
	}
}

// All changes go over one connection to the file. An operator sees what waits for it, and
// for how long.
func TestLedger_ChangesThatWaitForTheFile_AreInTheMetrics(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	path := filepath.Join(t.TempDir(), "ledger.db")
	d := start(t, up.url(), func(c *config.Config) { c.Ledger.Spec = "sqlite:" + path })
	d.awaitMetric(t, "digate_ledger_writes_queued 0")
	// Another process writes.
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	must(t, err)
	defer func() { must(t, db.Close()) }()
	other, err := db.Conn(t.Context())
	must(t, err)
	defer func() { must(t, other.Close()) }()
	_, err = other.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	must(t, err)
	copied := make(chan *apierror.Error, 1)
	begin := func(id string) {
		go func() {
			_, e := d.copyRPC(t, withID(id))
			copied <- e
		}()
	}
	// The first change has the connection, and waits for the file. The others wait for the
	// first.
	taken := regexp.MustCompile(`(?m)^digate_ledger_writes_total (\d+)$`).FindStringSubmatch(d.scrape(t))
	n, err := strconv.Atoi(taken[1])
	must(t, err)
	begin("first")
	d.awaitMetric(t, fmt.Sprintf("digate_ledger_writes_total %d", n+1))
	begin("second")
	begin("third")
	d.awaitMetric(t, "digate_ledger_writes_queued 2")
	_, err = other.ExecContext(t.Context(), "ROLLBACK")
	must(t, err)
	for range 3 {
		if e := <-copied; e != nil {
			t.Error(e)
		}
	}
	after := d.scrape(t)
	for _, want := range []string{
		`digate_ledger_writes_queued 0`, `digate_ledger_writes_total [1-9]`, `digate_ledger_write_batches_total [1-9]`, `digate_ledger_write_wait_seconds_total 0\.[0-9]*[1-9]`,
	} {
		if !regexp.MustCompile("(?m)^" + want).MatchString(after) {
			t.Errorf("no %s in %q", want, regexp.MustCompile("(?m)^digate_ledger_write.*").FindAllString(after, -1))
		}
	}
}

// What is served, by which version, with which ledger, is known from one line.
func TestRun_ServingLine_NamesVersionLedgerAndListeners(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	d.log.await(t, 1, `"msg":"serving"`)
	want := fmt.Sprintf(`"msg":"serving","version":"test","ledger":"memory","grpc":%q,"rest":%q,"admin":%q,"upstream":"http://127.0.0.1:1"`, d.GRPCAddr(), d.HTTPAddr(), d.AdminAddr())
	if !strings.Contains(d.log.String(), want) {
		t.Errorf("no %s in %s", want, d.log.String())
	}
}

// A bulk stream with a doubt is no success in the log, and its line has its counts.
func TestBulk_LineOfTheStream_HasItsCountsAndWarnsOfDoubts(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	for name, scripted := range map[string]script{"good": respond(201, nil, full), "lost": raw("", true)} {
		up.will(scripted)
		stream, err := d.rpc.BulkCopyTemplate(withToken(t.Context(), token))
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{name, ""} {
			req := &integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: id}}
			if err := stream.Send(req); err != nil {
				t.Fatal(err)
			}
		}
		_ = stream.CloseSend()
		for err == nil {
			_, err = stream.Recv()
		}
		d.do(t, "POST", "/v1/integration/template:bulkCopy", `{"request_id":"rest-`+name+`","template_id":"`+templateID+`"}`+"\n")
	}
	d.stop() // a line may come after its response
	<-d.ended
	for _, want := range []string{
		`"level":"INFO","msg":"call","protocol":"grpc",.*"outcome":"DONE",.*"items":2,"items_done":1,"items_replayed":0,"items_not_sent":1,"items_rejected":0,"items_unknown":0`,
		`"level":"WARN","msg":"call","protocol":"grpc",.*"outcome":"UNKNOWN",.*"items":2,"items_done":0,"items_replayed":0,"items_not_sent":1,"items_rejected":0,"items_unknown":1`,
		`"level":"INFO","msg":"call","protocol":"rest",.*"outcome":"DONE",.*"items":1,"items_done":1,`,
		`"level":"WARN","msg":"call","protocol":"rest",.*"outcome":"UNKNOWN",.*"items":1,.*"items_unknown":1`,
	} {
		if !regexp.MustCompile(want).MatchString(d.log.String()) {
			t.Errorf("no %s in %s", want, d.log.String())
		}
	}
}

// The line of a copy in a bulk stream leads to the line of the stream, by the
// X-Request-Id, and to the record.
func TestBulk_LineOfACopy_NamesTheStreamAndTheRecord(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url())
	d.do(t, "POST", "/v1/integration/template:bulkCopy", `{"request_id":"one","template_id":"`+templateID+`"}`+"\n", "X-Request-Id", "stream-1")
	d.stop()
	<-d.ended
	for _, want := range []string{
		`"msg":"call",.*"method":"diga.integration.v1.IntegrationService/BulkCopyTemplate".*"x_request_id":"stream-1"`,
		`"msg":"operation","kind":"bulk_item".*"x_request_id":"stream-1","ledger_record":"[0-9a-f]{64}"`,
	} {
		if !regexp.MustCompile(want).MatchString(d.log.String()) {
			t.Errorf("no %s in %s", want, d.log.String())
		}
	}
}

// The admin listener shows records to who may reach it, under its own name alone, and
// writes a line for who asked.
func TestAdmin_LedgerRecords_AreListedAndNothingElseIsPossible(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(raw("", true))
	d := start(t, up.url())
	if _, e := d.copyRPC(t, withID("order-1-of-a-customer")); e == nil {
		t.Fatal("no failure")
	}
	got := d.adminAs(t, "localhost", "/ledger/records?state=unknown")
	if got.status != 200 || !strings.Contains(got.body, `"state":"unknown","method":"CopyTemplate","parent_id":"`+templateID+`"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	record := regexp.MustCompile(`"record":"([0-9a-f]{64})"`).FindStringSubmatch(got.body)
	if record == nil || !strings.Contains(d.log.String(), `"ledger_record":"`+record[1]+`"`) {
		t.Errorf("the log does not name the record of %s", got.body)
	}
	if strings.Contains(got.body, "order-1") {
		t.Error("the request id is shown")
	}
	d.log.await(t, 1, `"msg":"records of the ledger were listed","remote":"127.0.0.1:`)
	if got := d.adminAs(t, "evil.example", "/ledger/records"); got.status != 421 {
		t.Errorf("another host: %d", got.status)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		if got := send(t, d.http, method, "http://"+d.AdminAddr().String(), "/ledger/records", ""); got.status != 405 {
			t.Errorf("%s: %d", method, got.status)
		}
	}
}
