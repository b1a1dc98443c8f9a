package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/test/await"
)

const templateID = "00000000-0000-4000-8000-000000000001"

// bodyOf returns a bulk request of n lines whose request ids are r1 to rn.
func bodyOf(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"template_id":%q,"request_id":"r%d"}`+"\n", templateID, i+1)
	}
	return b.String()
}

func done(requestID, name string) *integrationv1.BulkCopyTemplateResponse {
	return &integrationv1.BulkCopyTemplateResponse{RequestId: requestID, Outcome: &integrationv1.BulkCopyTemplateResponse_Integration{
		Integration: &integrationv1.Integration{Id: "i-" + requestID, Name: name},
	}}
}

func failedItem(requestID string, e *apierror.Error) *integrationv1.BulkCopyTemplateResponse {
	return &integrationv1.BulkCopyTemplateResponse{RequestId: requestID, Outcome: &integrationv1.BulkCopyTemplateResponse_Error{
		Error: e.GRPCStatus().Proto(),
	}}
}

func summaryOf(s *integrationv1.BulkCopySummary) *integrationv1.BulkCopyTemplateResponse {
	return &integrationv1.BulkCopyTemplateResponse{Outcome: &integrationv1.BulkCopyTemplateResponse_Summary{Summary: s}}
}

// each ends every item with what result returns, and ends with a summary that
// counts them as done.
func each(result func(id string) *integrationv1.BulkCopyTemplateResponse) *service {
	return &service{bulk: func(stream bulkStream) error {
		for n := int64(0); ; n++ {
			req, err := stream.Recv()
			if err == io.EOF {
				return stream.Send(summaryOf(&integrationv1.BulkCopySummary{Total: n, Done: n}))
			}
			if err != nil {
				return err
			}
			if err := stream.Send(result(req.GetCopy().GetRequestId())); err != nil {
				return err
			}
		}
	}}
}

func linesOf(t *testing.T, r io.Reader) []string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("reading the response: %v, after %q", err, b)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("line %d = %s\nwant     %s", i, got[i], want[i])
		}
	}
}

// The server's write deadline is for responses that are short: it must not cut a
// bulk request whose items take longer together.
func TestBulk_ItemsSlowerThanTheServersTimeoutsTogether_EveryLineArrives(t *testing.T) {
	const timeout = time.Second
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHandler(t, each(func(id string) *integrationv1.BulkCopyTemplateResponse {
			time.Sleep(timeout - 1) // what a copy takes
			return done(id, "")
		}))
		near, far := net.Pipe()
		ln := &oneConn{conn: far, closed: make(chan struct{})}
		server := &http.Server{Handler: h, ReadTimeout: timeout, WriteTimeout: timeout}
		go func() { _ = server.Serve(ln) }()
		defer func() { _ = server.Close() }()
		body := bodyOf(4)
		go func() {
			_, _ = fmt.Fprintf(near, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", gateway.BulkPath, len(body), body)
		}()
		resp, err := http.ReadResponse(bufio.NewReader(near), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := linesOf(t, resp.Body); len(got) != 5 || !strings.Contains(got[4], `"done":4`) {
			t.Errorf("%d lines, want 4 and the summary: %q", len(got), got)
		}
		_ = near.Close()
	})
}

// oneConn is a listener with one connection, which is a pipe in the process.
type oneConn struct {
	conn     net.Conn
	accepted bool
	closed   chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.accepted {
		l.accepted = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error { close(l.closed); return nil }

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

func TestBulk_ItemDone_ItsLineArrivesBeforeTheNextIsDone(t *testing.T) {
	t.Parallel()
	const items = 3
	next := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), await.Patience)
	defer cancel()
	h, _ := newHandler(t, each(func(id string) *integrationv1.BulkCopyTemplateResponse {
		if id != "r1" {
			select {
			case <-next:
			case <-ctx.Done():
			}
		}
		return done(id, "")
	}))
	server := serve(t, h)
	resp := post(t, ctx, server.URL, bodyOf(items))
	lines := bufio.NewReader(resp.Body)
	for i := range items {
		line, err := lines.ReadString('\n')
		if err != nil || !strings.Contains(line, fmt.Sprintf(`"request_id":"r%d"`, i+1)) {
			t.Fatalf("line %d = %q, %v", i+1, line, err)
		}
		if i < items-1 {
			next <- struct{}{}
		}
	}
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "summary") {
		t.Errorf("after the items: %q, %v", line, err)
	}
}

func TestBulk_Line_CarriesAllOfItsResult(t *testing.T) {
	t.Parallel()
	replayed := done("r2", "<b>")
	replayed.Replayed = true
	refused := apierror.InvalidRequest(apierror.Violation{Field: "copy.variables.a[2]", Description: "must be less", Reason: "TOO_LONG"})
	rejected := &apierror.Error{
		Code: codes.NotFound, Reason: "TEMPLATE_GONE", Domain: apierror.DomainDiga, Outcome: 0, Message: "is gone", HTTPStatus: 410,
	}
	results := map[string]*integrationv1.BulkCopyTemplateResponse{
		"r1": done("r1", "one"), "r2": replayed, "r3": failedItem("r3", refused), "r4": failedItem("r4", rejected),
		"r5": failedItem("r5", apierror.Overloaded(0)),
	}
	s := each(func(id string) *integrationv1.BulkCopyTemplateResponse { return results[id] })
	inner := s.bulk
	s.bulk = func(stream bulkStream) error { return inner(summarised{stream}) }
	h, _ := newHandler(t, s)
	w := httptest.NewRecorder()
	body := "\n" + bodyOf(5) + "{}\n" + `{"template_id":"x","request_id":"r1"}` + "\n \n"
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, gateway.BulkPath, strings.NewReader(body)))
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/x-ndjson" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	wantLines(t, linesOf(t, w.Body),
		`{"line":7,"outcome":"NOT_SENT","http_status":422,"error":{"detail":[{"type":"missing","loc":["body","request_id"],"msg":"is required in each line: 1 to 255 printable ASCII characters, another one in each"}]}}`,
		`{"line":8,"request_id":"r1","outcome":"NOT_SENT","http_status":422,"error":{"detail":[{"type":"duplicate","loc":["body","request_id"],"msg":"is used in line 2 too"}]}}`,
		`{"line":2,"request_id":"r1","integration":`+integrationJSON("r1", "one")+`,"outcome":"DONE"}`,
		`{"line":3,"request_id":"r2","replayed":true,"integration":`+integrationJSON("r2", "<b>")+`,"outcome":"DONE"}`,
		`{"line":4,"request_id":"r3","outcome":"NOT_SENT","http_status":422,"error":{"detail":[{"type":"too_long","loc":["body","variables","a",2],"msg":"must be less"}]}}`,
		`{"line":5,"request_id":"r4","outcome":"UNKNOWN","http_status":410,"error":{"status":"error","error_code":"TEMPLATE_GONE","message":"is gone"}}`,
		`{"line":6,"request_id":"r5","outcome":"NOT_SENT","http_status":503,"error":{"status":"error","error_code":"OVERLOADED","message":"the call would wait too long for its turn; nothing was sent"}}`,
		`{"summary":{"total":13,"done":22,"replayed":33,"not_sent":46,"rejected":55,"unknown":66}}`,
	)
}

// summarised sends a summary whose counts are all different.
type summarised struct{ bulkStream }

func (s summarised) Send(m *integrationv1.BulkCopyTemplateResponse) error {
	if m.GetSummary() != nil {
		m = summaryOf(&integrationv1.BulkCopySummary{Total: 11, Done: 22, Replayed: 33, NotSent: 44, Rejected: 55, Unknown: 66})
	}
	return s.bulkStream.Send(m)
}

func integrationJSON(requestID, name string) string {
	text := "null"
	if name != "" {
		text = `"` + name + `"`
	}
	return `{"id":"i-` + requestID + `","name":` + text + `,"base_url":null,"auth_type":null,"integration_type":null,"created_at":null,` +
		`"updated_at":null,"description":null,"auth_key":null,"headers":{},"requires_setup":false,"source_integration_template_id":null}`
}

func TestBulk_Items_ReachTheServiceWhole(t *testing.T) {
	t.Parallel()
	var got []*integrationv1.CopyTemplateRequest
	h, _ := newHandler(t, &service{bulk: func(stream bulkStream) error {
		for {
			req, err := stream.Recv()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			got = append(got, req.GetCopy())
		}
	}})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, gateway.BulkPath, strings.NewReader(
		`{"template_id":"a","request_id":"1","name":"N","api_key":"K"}`+"\n{\n"+`{"template_id":"b","request_id":"2"}`)))
	want := []*integrationv1.CopyTemplateRequest{
		{TemplateId: "a", RequestId: "1", Name: new("N"), ApiKey: new("K")},
		{TemplateId: "b", RequestId: "2"},
	}
	if len(got) != len(want) || !proto.Equal(got[0], want[0]) || !proto.Equal(got[1], want[1]) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBulk_ClientLeaves_TheStreamEndsAndNoMoreItemsAreHandedOut(t *testing.T) {
	t.Parallel()
	left := make(chan error, 1)
	h, _ := newHandler(t, &service{bulk: func(stream bulkStream) error {
		req, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := stream.Send(done(req.GetCopy().GetRequestId(), "")); err != nil {
			return err
		}
		<-stream.Context().Done()
		_, err = stream.Recv()
		left <- errors.Join(err, stream.Send(done("r2", "")))
		return err
	}})
	server := serve(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	resp := post(t, ctx, server.URL, bodyOf(3))
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	joined, _ := await.Value(t, left, "the handler to leave").(interface{ Unwrap() []error })
	if joined == nil || len(joined.Unwrap()) != 2 {
		t.Fatal("Recv or Send succeeds though the client has left")
	}
	for _, err := range joined.Unwrap() {
		if status.Code(err) != codes.Canceled {
			t.Errorf("%v, want Canceled", err)
		}
	}
}

// A client that takes nothing is cut after Stall, however long the server would
// wait. Until then the service is held up by what it sends.
func TestBulk_ClientTakesNothing_IsCutAfterTheStall(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 1<<20)
	left := make(chan error, 1)
	h, _ := newHandler(t, &service{bulk: func(stream bulkStream) error {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		for {
			if err := stream.Send(done("r1", big)); err != nil {
				<-stream.Context().Done()
				_, err := stream.Recv()
				left <- err
				return err
			}
		}
	}}, func(c *gateway.Config) { c.Stall = 200 * time.Millisecond })
	server := serve(t, h)
	post(t, t.Context(), server.URL, bodyOf(2))
	if err := await.Value(t, left, "the handler to leave"); status.Code(err) != codes.Canceled {
		t.Errorf("Recv after a Send that failed = %v, want Canceled", err)
	}
}

// broken is a response that can be written no more.
type broken struct {
	http.ResponseWriter
	writes int
}

func (b *broken) Write([]byte) (int, error) {
	b.writes++
	return 0, io.ErrClosedPipe
}

func TestBulk_LineCannotBeWritten_NothingMoreIsReceivedOrWritten(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, &service{bulk: func(stream bulkStream) error {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		if err := stream.Send(done("r1", "")); status.Code(err) != codes.Canceled {
			t.Errorf("Send = %v, want Canceled", err)
		}
		_, err := stream.Recv()
		if status.Code(err) != codes.Canceled {
			t.Errorf("Recv = %v, want Canceled", err)
		}
		return err
	}})
	w := &broken{ResponseWriter: httptest.NewRecorder()}
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, gateway.BulkPath, strings.NewReader(bodyOf(3))))
	if w.writes != 1 {
		t.Errorf("%d writes, want 1", w.writes)
	}
}

// afterOne ends the first item and fails then.
func afterOne(err error) *service {
	return &service{bulk: func(stream bulkStream) error {
		req, recvErr := stream.Recv()
		if recvErr != nil {
			return recvErr
		}
		if err := stream.Send(done(req.GetCopy().GetRequestId(), "")); err != nil {
			return err
		}
		return err
	}}
}

func TestBulk_StreamFails_ALineSaysWhyAndWhatWasNotBegunHasALineEach(t *testing.T) {
	t.Parallel()
	const draining = `"outcome":"NOT_SENT","http_status":503,"error":{"status":"error","error_code":"DRAINING","message":"the server is stopping; what has no response was not begun"}}`
	first := `{"line":1,"request_id":"r1","integration":` + integrationJSON("r1", "") + `,"outcome":"DONE"}`
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"nothing was sent": {apierror.Draining(), []string{
			`{` + draining, `{"line":2,"request_id":"r2",` + draining, `{"line":3,"request_id":"r3",` + draining,
		}},
		"the outcome is not known": {apierror.Stalled(time.Minute), []string{
			`{"outcome":"UNKNOWN","http_status":504,"error":{"status":"error","error_code":"STALLED","message":"nothing moved on the stream for 1m0s; what was sent goes on and is recorded"}}`,
		}},
		"no status": {errors.New("disk full"), []string{
			`{"outcome":"UNKNOWN","http_status":502,"error":{"status":"error","error_code":"OUTCOME_UNKNOWN","message":"disk full"}}`,
		}},
		"nothing": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, failed := newHandler(t, afterOne(c.err))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, gateway.BulkPath, strings.NewReader(bodyOf(3))))
			wantLines(t, linesOf(t, w.Body), append([]string{first}, c.want...)...)
			if got := failed.all(); (c.err == nil) != (len(got) == 0) || len(got) > 1 {
				t.Errorf("reported %v", got)
			}
		})
	}
}

func TestBulk_HandlerPanics_UnwindsToTheCaller(t *testing.T) {
	t.Parallel()
	cause := errors.New("oh")
	h, _ := newHandler(t, &service{bulk: func(bulkStream) error { panic(cause) }})
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, cause) {
			t.Errorf("panic = %v, want %v", err, cause)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, gateway.BulkPath, strings.NewReader(bodyOf(1))))
}

func TestBulk_Metadata_IsNotTheCallers(t *testing.T) {
	t.Parallel()
	var got metadata.MD
	h, _ := newHandler(t, &service{bulk: func(stream bulkStream) error {
		got, _ = metadata.FromIncomingContext(stream.Context())
		return errors.Join(stream.SetHeader(metadata.Pairs("x-a", "1")), stream.SendHeader(metadata.Pairs("x-b", "2")))
	}})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, gateway.BulkPath, strings.NewReader(bodyOf(1)))
	r.Header.Set("Grpc-Metadata-X", "1")
	h.ServeHTTP(w, r)
	if len(got) != 0 || w.Code != 200 || w.Header().Get("x-a") != "" || w.Header().Get("x-b") != "" {
		t.Errorf("metadata %v, %d, header %v", got, w.Code, w.Header())
	}
}

func TestBulk_NoSuchService_IsReportedAndALineSaysSo(t *testing.T) {
	t.Parallel()
	h, failed := newHandler(t, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, gateway.BulkPath, strings.NewReader(bodyOf(1))))
	got := failed.all()
	if len(got) != 1 || status.Code(got[0].err) != codes.Unimplemented || !strings.Contains(w.Body.String(), `"http_status":501`) {
		t.Errorf("%s, reported %v", w.Body, got)
	}
}

func TestBulk_RefusedAsAWhole_IsReported(t *testing.T) {
	t.Parallel()
	const method = "/diga.integration.v1.IntegrationService/BulkCopyTemplate"
	for name, c := range map[string]struct {
		verb, body string
		reason     string
		status     int
	}{
		"method": {http.MethodGet, "", apierror.ReasonMethodNotAllowed, 405},
		"lines":  {http.MethodPost, bodyOf(101), apierror.ReasonRequestTooLarge, 413},
		"bytes":  {http.MethodPost, strings.Repeat(" ", 2<<20), apierror.ReasonRequestTooLarge, 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, failed := newHandler(t, each(nil))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(c.verb, gateway.BulkPath, strings.NewReader(c.body)))
			got := failed.all()
			if w.Code != c.status || len(got) != 1 || got[0].method != method || apierror.FromError(got[0].err).Reason != c.reason {
				t.Errorf("%d, reported %v", w.Code, got)
			}
		})
	}
}
