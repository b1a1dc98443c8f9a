package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/await"
)

type bulkClient = grpc.BidiStreamingClient[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]

func (d *digate) bulk(ctx context.Context, t *testing.T) bulkClient {
	t.Helper()
	stream, err := d.rpc.BulkCopyTemplate(withToken(ctx, token))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func item(template, id string) *integrationv1.BulkCopyTemplateRequest {
	return &integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{TemplateId: template, RequestId: id}}
}

// drain reads a stream to its end and returns its results and its summary.
func drain(stream bulkClient) (results []*integrationv1.BulkCopyTemplateResponse, summary *integrationv1.BulkCopySummary, err error) {
	for {
		resp, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return results, summary, nil
		case err != nil:
			fmt.Fprintln(&output, err)
			return results, summary, err
		case resp.GetSummary() != nil:
			summary = resp.GetSummary()
		default:
			results = append(results, resp)
		}
	}
}

func TestBulk_ItemsOfEveryKind_HaveAResultEachAndTheSummaryAddsUp(t *testing.T) {
	t.Parallel()
	e, url := emulated(t)
	d := start(t, url)
	if _, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "before"}); err != nil {
		t.Fatal(err)
	}
	stream := d.bulk(t.Context(), t)
	want := map[string]string{
		"a": "", "b": "", "before": "replayed",
		"gone": "NOT_FOUND REJECTED", "lost": "UNKNOWN UNKNOWN", "wrong": "INVALID_ARGUMENT NOT_SENT",
	}
	for id, template := range map[string]string{
		"a": templateID, "b": templateID, "before": templateID,
		"gone": "11111111-1111-4111-8111-111111111111", "lost": "00000000-0000-4000-8000-000000000603", "wrong": "x",
	} {
		if err := stream.Send(item(template, id)); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []*integrationv1.BulkCopyTemplateRequest{item(templateID, ""), item(templateID, "a"), {}} {
		if err := stream.Send(bad); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	results, summary, err := drain(stream)
	if err != nil || len(results) != 9 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	refused := 0
	for _, r := range results {
		got := ""
		switch {
		case r.GetError() != nil:
			e := apierror.FromError(status.ErrorProto(r.GetError()))
			got = strings.ToUpper(snake(e.Code)) + " " + e.Outcome.String()
		case r.GetReplayed():
			got = "replayed"
		case r.GetIntegration().GetId() == "":
			t.Errorf("%s: no integration", r.GetRequestId())
		}
		if got == "INVALID_ARGUMENT NOT_SENT" && r.GetRequestId() != "wrong" {
			refused++
			continue
		}
		if got != want[r.GetRequestId()] {
			t.Errorf("%s: %q, want %q", r.GetRequestId(), got, want[r.GetRequestId()])
		}
	}
	if text := fmt.Sprint(summary); refused != 3 || summary.GetTotal() != 9 || summary.GetDone() != 3 || summary.GetReplayed() != 1 ||
		summary.GetNotSent() != 4 || summary.GetRejected() != 1 || summary.GetUnknown() != 1 {
		t.Errorf("%d lines were refused; the summary is %s", refused, text)
	}
	if n := len(e.Integrations(token)); n != 4 { // of a, b, before and lost
		t.Errorf("%d integrations", n)
	}
	if !strings.Contains(d.scrape(t), `digate_operations_total{code="OK",kind="bulk_item",outcome="DONE"} 3`) {
		t.Error("the items are not counted")
	}
}

func snake(c codes.Code) string {
	var b strings.Builder
	for i, r := range c.String() {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// counting returns the script of an upstream that makes every copy at once, each
// with an id of its own. It counts them in n.
func counting(n *atomic.Int64) script {
	return func(c net.Conn, r sent) bool {
		k := n.Add(1)
		return respond(201, nil, strings.Replace(full, id, fmt.Sprintf("00000000-0000-4000-9000-%012d", k), 1))(c, r)
	}
}

// copiesWait scripts an upstream that makes no copy until the test closes release.
// It sends on arrived once for each request for a copy.
func copiesWait(up *scripted) (arrived <-chan struct{}, release chan<- struct{}) {
	arrives, released := make(chan struct{}, 100), make(chan struct{})
	up.will(func(c net.Conn, r sent) bool {
		if strings.HasPrefix(r.line, "POST ") {
			arrives <- struct{}{}
			<-released
		}
		return respond(201, nil, full)(c, r)
	})
	return arrives, released
}

func TestBulk_ClientThatDoesNotRead_StopsTheCopying(t *testing.T) {
	up := newScripted(t)
	var made atomic.Int64
	up.will(counting(&made))
	d := start(t, up.url(), func(c *config.Config) { c.Integration.Bulk.StallTimeout = 20 * time.Second })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := d.bulk(ctx, t)
	const items = 20_000
	sentAll := make(chan struct{})
	var given atomic.Int64
	go func() {
		defer close(sentAll)
		for i := range items {
			if stream.Send(item(templateID, fmt.Sprint("r", i))) != nil {
				return
			}
			given.Add(1)
		}
		_ = stream.CloseSend()
	}()
	// The copying stops once both flow-control windows are full.
	if !await.Rest(func() int { return int(made.Load()) }) {
		t.Error("the copying goes on")
	}
	if made.Load() > items/2 || given.Load() > items/2 {
		t.Errorf("%d copies made and %d requests accepted while the client read nothing", made.Load(), given.Load())
	}
	// It goes on when the client reads.
	for range 1000 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	<-sentAll
}

func TestBulk_NeitherSideMoves_IsEnded(t *testing.T) {
	up := newScripted(t)
	var made atomic.Int64
	up.will(counting(&made))
	d := start(t, up.url(), func(c *config.Config) { c.Integration.Bulk.StallTimeout = 300 * time.Millisecond })
	stalled := 0
	for name, sends := range map[string]int{"the client sends nothing": 0, "the client reads nothing": 5000} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		stream := d.bulk(ctx, t)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range sends {
				if stream.Send(item(templateID, fmt.Sprint(name, i))) != nil {
					return
				}
			}
		}()
		stalled++
		d.log.await(t, stalled, `"reason":"STALLED"`)
		_, _, err := drain(stream)
		if e := apierror.FromError(err); e == nil || e.Reason != apierror.ReasonStalled || e.Code != codes.DeadlineExceeded {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		<-sent
	}
}

func TestBulk_ClientLeaves_FinishesWhatWasSentAndBeginsNothingMore(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	arrived, release := copiesWait(up)
	d := start(t, up.url(), func(c *config.Config) { c.Integration.Bulk.Concurrency = 4 })
	ctx, cancel := context.WithCancel(t.Context())
	stream := d.bulk(ctx, t)
	for i := range 50 {
		if err := stream.Send(item(templateID, strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		<-arrived
	}
	cancel()
	if _, _, err := drain(stream); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	d.log.await(t, 1, `BulkCopyTemplate","code":"CANCELLED"`)
	close(release)
	// The same items again: four are replayed, and the others are copied now.
	again := d.bulk(t.Context(), t)
	for i := range 50 {
		if err := again.Send(item(templateID, strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	_ = again.CloseSend()
	_, summary, err := drain(again)
	if err != nil || summary.GetDone() != 50 || summary.GetReplayed() != 4 || posts(up) != 50 {
		t.Errorf("%v, %v, %d copies", summary, err, posts(up))
	}
}

// A roll-out in the middle of a stream leaves no copy in doubt: every item that was
// sent gets its result, and no other item is begun.
func TestBulk_ServerStops_FinishesWhatWasBegunAndBeginsNothingMore(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	arrived, release := copiesWait(up)
	d := start(t, up.url(), func(c *config.Config) { c.Integration.Bulk.Concurrency = 4 })
	stream := d.bulk(t.Context(), t)
	var body strings.Builder
	for i := range 50 {
		if err := stream.Send(item(templateID, strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&body, `{"template_id":%q,"request_id":"rest-%d"}`+"\n", templateID, i)
	}
	inREST := make(chan response, 1)
	go func() { inREST <- d.do(t, "POST", bulkPath, body.String()) }()
	for range 8 {
		<-arrived
	}
	d.stop()
	d.log.await(t, 1, `"draining"`)
	close(release)
	results, _, err := drain(stream)
	e := apierror.FromError(err)
	if e == nil || e.Reason != apierror.ReasonDraining || e.Code != codes.Unavailable || e.Outcome.String() != "NOT_SENT" {
		t.Errorf("the stream ended with %v", err)
	}
	done := 0
	for _, r := range results {
		if r.GetIntegration() != nil {
			done++
		}
	}
	if done != len(results) || done < 4 {
		t.Errorf("%d results, %d of them done", len(results), done)
	}
	made, notSent := 0, 0
	for text := range strings.Lines((<-inREST).body) {
		var l restLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		switch {
		case l.Line > 0 && l.Outcome == "DONE":
			made++
		case l.Line > 0 && l.Outcome == "NOT_SENT":
			notSent++
		}
	}
	if made < 4 || made+notSent != 50 {
		t.Errorf("of 50 lines %d say DONE and %d NOT_SENT", made, notSent)
	}
	<-d.ended
	if d.result != nil || posts(up) != done+made {
		t.Errorf("the drain ended with %v; %d of %d copies were reported as done", d.result, done+made, posts(up))
	}
}

func TestBulk_MoreItemsThanTheFlag_EndsTheStream(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	var made atomic.Int64
	up.will(counting(&made))
	d := start(t, up.url(), func(c *config.Config) { c.Integration.Bulk.MaxItems = 3 })
	stream := d.bulk(t.Context(), t)
	for range 4 { // items with the same request id count as well
		_ = stream.Send(item(templateID, "same"))
	}
	_, _, err := drain(stream)
	if e := apierror.FromError(err); status.Code(err) != codes.ResourceExhausted || e.Reason != "REQUEST_TOO_LARGE" || e.Outcome != exchange.NotSent {
		t.Error(err)
	}
}

type restLine struct {
	Line        int             `json:"line"`
	RequestID   string          `json:"request_id"`
	Replayed    bool            `json:"replayed"`
	Integration json.RawMessage `json:"integration"`
	Outcome     string          `json:"outcome"`
	HTTPStatus  int             `json:"http_status"`
	Error       json.RawMessage `json:"error"`
	Summary     map[string]int  `json:"summary"`
}

const bulkPath = "/v1/integration/template:bulkCopy"

func TestBulkREST_LinesOfEveryKind_HaveAResultLineEach(t *testing.T) {
	t.Parallel()
	e, url := emulated(t)
	d := start(t, url)
	lines := []string{
		`{"template_id":"` + templateID + `","request_id":"a","name":"A","api_key":"` + apiKey + `"}`,
		``,
		`{"template_id":"` + templateID + `","request_id":"b"`,
		`{"template_id":"` + templateID + `"}`,
		`{"template_id":"` + templateID + `","request_id":"a"}`,
		`[]`,
		`{"template_id":"11111111-1111-4111-8111-111111111111","request_id":"c"}`,
		`{"template_id":"x","request_id":"d"}`,
		`{"template_id":"` + templateID + `","request_id":"e","variables":{"n":1}}`,
		`{"template_id":7,"request_id":"f"}`,
		`{"template_id":"` + templateID + `","request_id":"g","request_id":"h"}`,
		`{"template_id":"` + templateID + `","request_id":5}`,
		`{"template_id":"` + templateID + `","variables":{"request_id":"i"}}`,
		`{"template_id":"` + templateID + `","request_id":null}`,
	}
	send := func() map[int]restLine {
		t.Helper()
		got := d.do(t, "POST", bulkPath, strings.Join(lines, "\n"), "Content-Type", "application/x-ndjson")
		if got.status != 200 || got.header.Get("Content-Type") != "application/x-ndjson" {
			t.Fatalf("%d %v %s", got.status, got.header, got.body)
		}
		byLine := make(map[int]restLine)
		for sc := bufio.NewScanner(strings.NewReader(got.body)); sc.Scan(); {
			var l restLine
			if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
				t.Fatalf("%v: %s", err, sc.Text())
			}
			if _, twice := byLine[l.Line]; twice {
				t.Errorf("line %d has two results", l.Line)
			}
			byLine[l.Line] = l
		}
		return byLine
	}
	got := send()
	for n, want := range map[int]string{
		1: "DONE ", 3: "NOT_SENT 422", 4: "NOT_SENT 422", 5: "NOT_SENT 422", 6: "NOT_SENT 422", 7: "REJECTED 404", 8: "NOT_SENT 422", 9: "DONE ", 10: "NOT_SENT 422", 11: "NOT_SENT 422", 12: "NOT_SENT 422", 13: "NOT_SENT 422", 14: "NOT_SENT 422",
	} {
		l := got[n]
		text := l.Outcome + " "
		if l.HTTPStatus != 0 {
			text += strconv.Itoa(l.HTTPStatus)
		}
		if text != want || (l.Error == nil) != (l.HTTPStatus == 0) || (l.Integration != nil) != (l.Outcome == "DONE") {
			t.Errorf("line %d: %q, want %q: %+v", n, text, want, l)
		}
	}
	if s := got[0].Summary; len(got) != 14 || s["total"] != 13 || s["done"] != 2 || s["not_sent"] != 10 || s["rejected"] != 1 || s["unknown"] != 0 {
		t.Errorf("%d lines, summary %v", len(got), s)
	}
	if !strings.Contains(string(got[5].Error), "line 1") || !strings.Contains(string(got[8].Error), `"loc":["body","template_id"]`) ||
		!strings.Contains(string(got[11].Error), "twice") || !strings.Contains(string(got[12].Error), "string") {
		t.Errorf("%s\n%s\n%s\n%s", got[5].Error, got[8].Error, got[11].Error, got[12].Error)
	}
	if len(e.Integrations(token)) != 2 {
		t.Errorf("%d integrations", len(e.Integrations(token)))
	}
	if again := send(); !again[1].Replayed || !again[9].Replayed || len(e.Integrations(token)) != 2 {
		t.Errorf("the second time: %+v, %d integrations", again[1], len(e.Integrations(token)))
	}
}

func TestBulkREST_TooManyLinesOrBytes_IsRefusedBeforeAnyCopy(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.Gateway.BulkMaxItems, c.MaxRequestBytes = 3, 1<<10 })
	one := `{"template_id":"` + templateID + `","request_id":"%d"}` + "\n"
	four := ""
	for i := range 4 {
		four += fmt.Sprintf(one, i)
	}
	for name, body := range map[string]string{"lines": four, "bytes": strings.Repeat(" ", 2<<10)} {
		got := d.do(t, "POST", bulkPath, body)
		wantREST(t, got, 413, "NOT_SENT", "REQUEST_TOO_LARGE")
		if !strings.Contains(got.body, "BulkCopyTemplate over gRPC") {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	if got := d.do(t, "GET", bulkPath, ""); got.status != 405 || got.header.Get("Allow") != "OPTIONS, POST" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if got := d.do(t, "POST", bulkPath, four, "Authorization", ""); got.status != 401 {
		t.Errorf("%d", got.status)
	}
	up.none(t)
}

// The age of a connection ends no stream: calls go to a new connection, and the stream
// has its results.
func TestBulk_ConnectionBeyondItsAge_StreamGoesOnAndCallsGoElsewhere(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	arrived, release := copiesWait(up)
	d := start(t, up.url(), func(c *config.Config) { c.MaxConnectionAge = 100 * time.Millisecond })
	stream := d.bulk(t.Context(), t)
	if err := stream.Send(item(templateID, "a")); err != nil {
		t.Fatal(err)
	}
	<-arrived
	// A second connection comes to its age too, so that the first is well beyond its own.
	ctx, cancel := context.WithTimeout(t.Context(), await.Patience)
	defer cancel()
	for ended := 0; ended < 2; {
		state := d.conn.GetState()
		d.conn.Connect()
		if !d.conn.WaitForStateChange(ctx, state) {
			t.Fatalf("%d connections ended, and the client is still %v", ended, state)
		}
		if state == connectivity.Ready {
			ended++
		}
	}
	close(release)
	_ = stream.CloseSend()
	results, summary, err := drain(stream)
	if err != nil || len(results) != 1 || summary.GetDone() != 1 {
		t.Errorf("%v, %v, %v", results, summary, err)
	}
}
