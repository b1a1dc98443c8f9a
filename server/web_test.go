package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	connectrpc "connectrpc.com/connect"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/test/await"
)

func webRPC(c *config.Config) { c.Gateway.WebRPC = true }

// spoken is a way to speak to the REST listener in another protocol than REST.
type spoken struct {
	name    string // of the protocol, as in metrics
	options []connectrpc.ClientOption
	http2   bool
}

// everyWay are the protocols with both encodings, over both versions of HTTP.
func everyWay() map[string]spoken {
	all := make(map[string]spoken)
	for _, over := range []string{"HTTP/1.1", "HTTP/2"} {
		h2 := over == "HTTP/2"
		all["Connect over "+over] = spoken{"connect", nil, h2}
		all["Connect in JSON over "+over] = spoken{"connect", []connectrpc.ClientOption{connectrpc.WithProtoJSON()}, h2}
		all["gRPC-Web over "+over] = spoken{"grpc-web", []connectrpc.ClientOption{connectrpc.WithGRPCWeb()}, h2}
		all["gRPC-Web in JSON over "+over] = spoken{"grpc-web", []connectrpc.ClientOption{connectrpc.WithGRPCWeb(), connectrpc.WithProtoJSON()}, h2}
		all["Connect in gzip over "+over] = spoken{"connect", []connectrpc.ClientOption{connectrpc.WithSendGzip()}, h2}
		all["gRPC-Web in gzip and JSON over "+over] = spoken{"grpc-web", []connectrpc.ClientOption{connectrpc.WithGRPCWeb(), connectrpc.WithProtoJSON(), connectrpc.WithSendGzip()}, h2}
	}
	return all
}

// dialWeb returns a client of a method.
func dialWeb[Req, Res any](t *testing.T, d *digate, way spoken, method string) *connectrpc.Client[Req, Res] {
	t.Helper()
	transport := &http.Transport{DisableCompression: true, TLSClientConfig: suiteTLS.client(), Protocols: new(http.Protocols)}
	if way.http2 {
		transport.Protocols.SetHTTP2(true)
		transport.Protocols.SetUnencryptedHTTP2(true)
	} else {
		transport.Protocols.SetHTTP1(true)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return connectrpc.NewClient[Req, Res](&http.Client{Transport: transport}, d.rest+method, way.options...)
}

func withTheToken[T any](msg *T) *connectrpc.Request[T] {
	r := connectrpc.NewRequest(msg)
	r.Header().Set("Authorization", "Bearer "+token)
	return r
}

// webStatus returns the error of a client as the status that gRPC has for it.
func webStatus(err error) *statuspb.Status {
	fmt.Fprintln(&output, err)
	s := &statuspb.Status{Code: int32(codes.Unknown), Message: fmt.Sprint(err)}
	if e, ok := errors.AsType[*connectrpc.Error](err); ok {
		s.Code, s.Message = int32(e.Code()), e.Message()
		for _, d := range e.Details() {
			v, err := d.Value()
			if err != nil {
				s.Message = err.Error()
				continue
			}
			s.Details = append(s.Details, packed(v))
		}
	}
	return s
}

// grpcStatus returns the status of a gRPC call.
func grpcStatus(t *testing.T, err error) *statuspb.Status {
	t.Helper()
	s := status.Convert(err).Proto()
	for i, d := range s.GetDetails() {
		m, err := d.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		s.Details[i] = packed(m)
	}
	return s
}

// packed returns a message as bytes that are the same for the same message.
func packed(m proto.Message) *anypb.Any {
	a := new(anypb.Any)
	if err := anypb.MarshalFrom(a, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		panic(err)
	}
	return a
}

func TestWeb_Failures_AreThoseOfGRPC(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), webRPC, func(c *config.Config) { c.MaxRequestBytes = 8 << 10 })
	variables, err := structpb.NewStruct(map[string]any{"a": strings.Repeat("a", 9<<10)})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		script script
		req    *integrationv1.CopyTemplateRequest
	}{
		"404":            {respond(404, nil, `{"status":"error","error_code":"TEMPLATE_NOT_FOUND","message":"no such template"}`), &integrationv1.CopyTemplateRequest{TemplateId: templateID}},
		"422":            {respond(422, nil, `{"detail":[{"type":"string_type","loc":["body","name"],"msg":"ñ is no name"}]}`), &integrationv1.CopyTemplateRequest{TemplateId: templateID}},
		"412":            {respond(412, nil, `{"status":"error","error_code":"NOT_READY","message":"%3 ñ"}`), &integrationv1.CopyTemplateRequest{TemplateId: templateID}},
		"500":            {respond(500, nil, `{"status":"error","error_code":"INTERNAL_SERVER_ERROR","message":"oh"}`), &integrationv1.CopyTemplateRequest{TemplateId: templateID}},
		"no template id": {respond(201, nil, full), &integrationv1.CopyTemplateRequest{TemplateId: "x", Name: new("")}},
		"too large":      {respond(201, nil, full), &integrationv1.CopyTemplateRequest{TemplateId: templateID, Variables: variables}},
	} {
		up.will(tt.script)
		_, want := d.rpc.CopyTemplate(withToken(t.Context(), token), tt.req)
		for way, spoken := range everyWay() {
			client := dialWeb[integrationv1.CopyTemplateRequest, integrationv1.CopyTemplateResponse](t, d, spoken, copyTemplate)
			_, got := client.CallUnary(t.Context(), withTheToken(tt.req))
			if got, want := webStatus(got), grpcStatus(t, want); !proto.Equal(got, want) {
				t.Errorf("%s, %s:\n got %v\nwant %v", name, way, got, want)
			}
		}
	}
}

func TestWeb_Copy_PassesAsOverGRPC(t *testing.T) {
	t.Parallel()
	emu, url := emulated(t)
	d := start(t, url, webRPC)
	template := emu.Templates()[0].ID
	variables, err := structpb.NewStruct(map[string]any{"n": 12345678901, "list": []any{"ñ", nil, true}})
	if err != nil {
		t.Fatal(err)
	}
	for way, spoken := range everyWay() {
		client := dialWeb[integrationv1.CopyTemplateRequest, integrationv1.CopyTemplateResponse](t, d, spoken, copyTemplate)
		req := &integrationv1.CopyTemplateRequest{TemplateId: template, Name: new("Tienda ñ"), Variables: variables, RequestId: "web " + way}
		first, err := client.CallUnary(t.Context(), withTheToken(req))
		if err != nil {
			t.Errorf("%s: %v", way, err)
			continue
		}
		again, err := client.CallUnary(t.Context(), withTheToken(req))
		if err != nil || again.Header().Get("Digate-Replayed") != "true" || again.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s, again: %v, %v", way, again, err)
			continue
		}
		overGRPC, e := d.copyRPC(t, req)
		if e != nil || !proto.Equal(overGRPC, first.Msg.GetIntegration()) || !proto.Equal(overGRPC, again.Msg.GetIntegration()) {
			t.Errorf("%s:\n got %v\nthen %v\nwant %v (%v)", way, first.Msg, again.Msg, overGRPC, e)
		}
		d.log.await(t, 2, `"protocol":"`+spoken.name+`","method":"`+copyTemplate[1:]+`","code":"OK","outcome":"DONE"`)
	}
	if got, want := len(emu.Integrations(token)), len(everyWay()); got != want {
		t.Errorf("%d integrations, want %d", got, want)
	}
	metrics := d.scrape(t)
	for _, protocol := range []string{"connect", "grpc-web"} {
		want := `digate_calls_total{code="OK",method="` + copyTemplate[1:] + `",outcome="DONE",protocol="` + protocol + `"} 12`
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

func TestWeb_Streams_AreThoseOfGRPC(t *testing.T) {
	t.Parallel()
	_, url := emulated(t)
	d := start(t, url, webRPC)
	want, end := d.rpc.StreamTemplates(withToken(t.Context(), token), &integrationv1.StreamTemplatesRequest{})
	ids, err := drained(t, want, end, func(m *integrationv1.StreamTemplatesResponse) string { return m.GetTemplate().GetId() })
	if err != nil || len(ids) == 0 {
		t.Fatal(ids, err)
	}
	for way, spoken := range everyWay() {
		client := dialWeb[integrationv1.StreamTemplatesRequest, integrationv1.StreamTemplatesResponse](t, d, spoken, integrationv1.IntegrationService_StreamTemplates_FullMethodName)
		stream, err := client.CallServerStream(t.Context(), withTheToken(&integrationv1.StreamTemplatesRequest{}))
		if err != nil {
			t.Errorf("%s: %v", way, err)
			continue
		}
		var got []string
		for stream.Receive() {
			got = append(got, stream.Msg().GetTemplate().GetId())
		}
		if err := errors.Join(stream.Err(), stream.Close()); err != nil || !slices.Equal(got, ids) {
			t.Errorf("%s: %v, %v, want %v", way, got, err, ids)
		}
	}
}

func TestWeb_Bulk_RespondsWhileItReceives(t *testing.T) {
	t.Parallel()
	emu, url := emulated(t)
	d := start(t, url, webRPC)
	template := emu.Templates()[0].ID
	for way, spoken := range everyWay() {
		client := dialWeb[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse](t, d, spoken, integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName)
		ctx, cancel := context.WithTimeout(t.Context(), await.Patience)
		stream := client.CallBidiStream(ctx)
		stream.RequestHeader().Set("Authorization", "Bearer "+token)
		if !spoken.http2 {
			_ = stream.Send(item(template, way))
			_ = stream.CloseRequest()
			_, err := stream.Receive()
			if e := apierror.FromStatus(status.FromProto(webStatus(err))); err == nil || e.Reason != apierror.ReasonHTTP2Required && e.Code != codes.Unimplemented {
				t.Errorf("%s: %v", way, err)
			}
			cancel()
			continue
		}
		for n := range 3 {
			id := fmt.Sprint(way, " ", n)
			if err := stream.Send(item(template, id)); err != nil {
				t.Fatalf("%s: %v", way, err)
			}
			resp, err := stream.Receive()
			if err != nil || resp.GetRequestId() != id || resp.GetIntegration().GetId() == "" {
				t.Fatalf("%s: %v, %v", way, resp, err)
			}
		}
		_ = stream.CloseRequest()
		resp, err := stream.Receive()
		if err != nil || resp.GetSummary().GetDone() != 3 {
			t.Errorf("%s: %v, %v", way, resp, err)
		}
		if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v at the end", way, err)
		}
		cancel()
	}
}

func TestWeb_Deadline_IsTheCallers(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(hang)
	d := start(t, up.url(), webRPC)
	for way, spoken := range everyWay() {
		client := dialWeb[integrationv1.CopyTemplateRequest, integrationv1.CopyTemplateResponse](t, d, spoken, copyTemplate)
		req := withTheToken(&integrationv1.CopyTemplateRequest{TemplateId: templateID})
		if spoken.name == "connect" {
			req.Header().Set("Connect-Timeout-Ms", "300")
		} else {
			req.Header().Set("Grpc-Timeout", "300m")
		}
		_, err := client.CallUnary(t.Context(), req)
		e := verdict(t, status.ErrorProto(webStatus(err)))
		if e.Code != codes.DeadlineExceeded || e.Reason != apierror.ReasonOutcomeUnknown || e.Outcome.String() != "UNKNOWN" {
			t.Errorf("%s: %v", way, err)
		}
	}
}

func TestWeb_CallerWhoLeaves_EndsTheCall(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	asked := make(chan struct{}, len(everyWay()))
	up.will(func(c net.Conn, r sent) bool { asked <- struct{}{}; return hang(c, r) })
	d := start(t, up.url(), webRPC)
	for _, spoken := range everyWay() {
		client := dialWeb[integrationv1.CopyTemplateRequest, integrationv1.CopyTemplateResponse](t, d, spoken, copyTemplate)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := client.CallUnary(ctx, withTheToken(&integrationv1.CopyTemplateRequest{TemplateId: templateID}))
			ended <- err
		}()
		await.Value(t, asked, "a request to Diga")
		cancel()
		if err := await.Value(t, ended, "the end of the call"); connectrpc.CodeOf(err) != connectrpc.CodeCanceled {
			t.Error(err)
		}
	}
	d.log.await(t, len(everyWay()), `"code":"CANCELLED","outcome":"UNKNOWN"`)
}

// post sends a request to a method as it is.
func (d *digate) post(t *testing.T, method, contentType, body string, header ...string) response {
	t.Helper()
	return d.do(t, http.MethodPost, method, body, append([]string{"Content-Type", contentType}, header...)...)
}

func enveloped(flag byte, text string) string {
	n := len(text)
	return string([]byte{flag, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + text
}

// What connect-go would refuse by itself has a verdict, and a line in the log.
func TestWeb_RequestThatIsNoCall_HasAVerdict(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url(), webRPC, func(c *config.Config) { c.MaxRequestBytes = 64 << 10 })
	const connectJSON, webProto, streamJSON = "application/json", "application/grpc-web+proto", "application/connect+json"
	streamTemplates := integrationv1.IntegrationService_StreamTemplates_FullMethodName
	wire, err := proto.Marshal(&integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if err != nil {
		t.Fatal(err)
	}
	zeros := strings.Repeat("\x00", 1<<20)
	for name, tt := range map[string]struct {
		method, contentType, body string
		header                    []string
		reason                    string
	}{
		"no credential":                {copyTemplate, connectJSON, `{`, []string{"Authorization", ""}, "MISSING_CREDENTIAL"},
		"no credential, gRPC-Web":      {copyTemplate, webProto, `{`, []string{"Authorization", ""}, "MISSING_CREDENTIAL"},
		"no credential, stream":        {streamTemplates, streamJSON, `{`, []string{"Authorization", ""}, "MISSING_CREDENTIAL"},
		"unknown method":               {copyTemplate + "s", connectJSON, `{}`, nil, "UNKNOWN_METHOD"},
		"unknown method, gRPC-Web":     {copyTemplate + "s", webProto, ``, nil, "UNKNOWN_METHOD"},
		"no JSON":                      {copyTemplate, connectJSON, `{"template_id":`, nil, "INVALID_REQUEST"},
		"JSON of another type":         {copyTemplate, connectJSON, `{"api_key":{"` + marker + `":1}}`, nil, "INVALID_REQUEST"},
		"no body":                      {copyTemplate, connectJSON, ``, nil, "INVALID_REQUEST"},
		"no protobuf":                  {copyTemplate, "application/proto", `{}`, nil, "INVALID_REQUEST"},
		"timeout":                      {copyTemplate, connectJSON, `{}`, []string{"Connect-Timeout-Ms", "-1"}, "INVALID_REQUEST"},
		"long timeout":                 {copyTemplate, connectJSON, `{}`, []string{"Connect-Timeout-Ms", "12345678901"}, "INVALID_REQUEST"},
		"timeout of gRPC-Web":          {copyTemplate, webProto, ``, []string{"Grpc-Timeout", "1"}, "INVALID_REQUEST"},
		"timeout that is over":         {copyTemplate, connectJSON, `{}`, []string{"Connect-Timeout-Ms", "0"}, "DEADLINE_BEFORE_SEND"},
		"version":                      {copyTemplate, connectJSON, `{}`, []string{"Connect-Protocol-Version", "2"}, "INVALID_REQUEST"},
		"encoding":                     {copyTemplate, connectJSON, `{}`, []string{"Content-Encoding", "br"}, "UNSUPPORTED_ENCODING"},
		"encoding of gRPC-Web":         {copyTemplate, webProto, `{}`, []string{"Grpc-Encoding", "zstd"}, "UNSUPPORTED_ENCODING"},
		"no gzip":                      {copyTemplate, connectJSON, `{}`, []string{"Content-Encoding", "gzip"}, "INVALID_REQUEST"},
		"no gzip in an envelope":       {copyTemplate, webProto, enveloped(1, "ab"), []string{"Grpc-Encoding", "gzip"}, "INVALID_REQUEST"},
		"gzip that is cut off":         {copyTemplate, connectJSON, string(gzipped(t, []byte(`{}`)))[:12], []string{"Content-Encoding", "gzip"}, "INVALID_REQUEST"},
		"gzip that is not said":        {copyTemplate, webProto, enveloped(1, string(gzipped(t, []byte("")))), nil, "INVALID_REQUEST"},
		"large":                        {copyTemplate, connectJSON, strings.Repeat(" ", 65<<10), nil, "REQUEST_TOO_LARGE"},
		"very large":                   {copyTemplate, connectJSON, strings.Repeat(" ", 512<<10), nil, "REQUEST_TOO_LARGE"},
		"large in an envelope":         {copyTemplate, webProto, enveloped(0, zeros[:512<<10]), nil, "REQUEST_TOO_LARGE"},
		"large when decompressed":      {copyTemplate, connectJSON, string(gzipped(t, []byte(zeros))), []string{"Content-Encoding", "gzip"}, "REQUEST_TOO_LARGE"},
		"large stream":                 {streamTemplates, streamJSON, enveloped(0, zeros[:512<<10]), nil, "REQUEST_TOO_LARGE"},
		"envelope that breaks off":     {copyTemplate, webProto, enveloped(0, string(wire))[:20], nil, "INVALID_REQUEST"},
		"prefix that breaks off":       {copyTemplate, webProto, "\x00\x00", nil, "INVALID_REQUEST"},
		"no message":                   {copyTemplate, webProto, "", nil, "INVALID_REQUEST"},
		"two messages":                 {copyTemplate, webProto, strings.Repeat(enveloped(0, string(wire)), 2), nil, "INVALID_REQUEST"},
		"unknown flag":                 {copyTemplate, webProto, enveloped(4, string(wire)), nil, "INVALID_REQUEST"},
		"stream without a message":     {streamTemplates, streamJSON, "", nil, "INVALID_REQUEST"},
		"stream of a cut-off envelope": {streamTemplates, streamJSON, "\x00\x00\x00\x00\x09{}", nil, "INVALID_REQUEST"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := d.post(t, tt.method, tt.contentType, tt.body, tt.header...)
			var got *statuspb.Status
			switch {
			case strings.HasPrefix(tt.contentType, "application/grpc-web"):
				got = statusOfWeb(t, resp)
			case strings.HasPrefix(tt.contentType, "application/connect+"):
				if len(resp.body) < 5 || resp.body[0] != 2 || resp.status != 200 {
					t.Fatalf("%d %q", resp.status, resp.body)
				}
				got = statusOfConnect(t, resp.body[5:], true)
			default:
				if resp.status < 400 || resp.header.Get("Content-Type") != "application/json" {
					t.Errorf("%d %v", resp.status, resp.header)
				}
				got = statusOfConnect(t, resp.body, false)
			}
			e := verdict(t, status.ErrorProto(got))
			if e.Reason != tt.reason || e.Outcome.String() != "NOT_SENT" {
				t.Errorf("%v, %d %v %q", e, resp.status, resp.header, resp.body)
			}
			if strings.Contains(resp.body, marker) {
				t.Errorf("the response quotes a value: %s", resp.body)
			}
		})
	}
	up.none(t)
	d.log.await(t, 1, `"reason":"UNSUPPORTED_ENCODING"`)
	if log := d.log.String(); strings.Contains(log, `"protocol":"rest"`) {
		t.Errorf("a call is in the log as one of REST: %s", log)
	}
}

// statusOfConnect reads an error of Connect: the whole of a unary response, or a member of
// the end of a stream.
func statusOfConnect(t *testing.T, body string, stream bool) *statuspb.Status {
	t.Helper()
	client := connectrpc.NewClient[integrationv1.CopyTemplateRequest, integrationv1.CopyTemplateResponse](
		recorded{stream: stream, body: body}, "http://recorded")
	if !stream {
		_, err := client.CallUnary(t.Context(), connectrpc.NewRequest(&integrationv1.CopyTemplateRequest{}))
		return webStatus(err)
	}
	s, err := client.CallServerStream(t.Context(), connectrpc.NewRequest(&integrationv1.CopyTemplateRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	if s.Receive() {
		t.Errorf("there is a message: %q", body)
	}
	return webStatus(s.Err())
}

// recorded responds with what was recorded.
type recorded struct {
	stream bool
	header http.Header
	body   string
}

func (r recorded) Do(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
	}
	header, code := http.Header{"Content-Type": {"application/json"}}, http.StatusBadRequest
	switch {
	case r.header != nil:
		header, code = r.header, http.StatusOK
	case r.stream:
		header, code = http.Header{"Content-Type": {"application/connect+proto"}}, http.StatusOK
		r.body = enveloped(2, r.body)
	}
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(r.body)), ProtoMajor: 2, Request: req}, nil
}

// statusOfWeb reads an error of gRPC-Web, from its trailer or from its header.
func statusOfWeb(t *testing.T, resp response) *statuspb.Status {
	t.Helper()
	if resp.status != 200 {
		t.Errorf("status %d", resp.status)
	}
	client := connectrpc.NewClient[integrationv1.CopyTemplateRequest, integrationv1.CopyTemplateResponse](
		recorded{header: resp.header, body: resp.body}, "http://recorded", connectrpc.WithGRPCWeb())
	_, err := client.CallUnary(t.Context(), connectrpc.NewRequest(&integrationv1.CopyTemplateRequest{}))
	return webStatus(err)
}

func TestWeb_RequestOfAnotherKind_IsRefusedAsREST(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url(), webRPC)
	stream := integrationv1.IntegrationService_StreamTemplates_FullMethodName
	for _, tt := range []struct {
		verb, path, contentType string
		status                  int
		reason                  string
	}{
		{"POST", copyTemplate, "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"POST", copyTemplate, "application/json; charset=utf-16", 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"POST", copyTemplate, "application/grpc", 404, "ROUTE_NOT_FOUND"},
		{"POST", copyTemplate, "application/grpc+proto", 404, "ROUTE_NOT_FOUND"},
		{"POST", copyTemplate, "application/grpc-web-text", 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"GET", copyTemplate, "", 405, "METHOD_NOT_ALLOWED"},
		{"GET", copyTemplate + "s", "", 404, "ROUTE_NOT_FOUND"},
		{"POST", copyTemplate + "s", "text/plain", 404, "ROUTE_NOT_FOUND"},
	} {
		wantREST(t, d.do(t, tt.verb, tt.path, "", "Content-Type", tt.contentType), tt.status, "NOT_SENT", tt.reason)
	}
	// What is Connect's, but not for this method.
	if resp := d.post(t, stream, "application/json", "{}"); !strings.Contains(resp.body, "unimplemented") {
		t.Errorf("%d %s", resp.status, resp.body)
	}
	if resp := d.do(t, "OPTIONS", copyTemplate, ""); resp.status != 204 || resp.header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("OPTIONS: %d %v", resp.status, resp.header)
	}
	if resp := d.do(t, "POST", copyTemplate, "{}", "Content-Type", "text/plain"); !strings.Contains(resp.header.Get("Accept-Post"), "application/grpc-web+proto") {
		t.Errorf("Accept-Post: %v", resp.header)
	}
}

func TestWeb_NotSwitchedOn_IsNoRoute(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url())
	for _, contentType := range []string{"application/json", "application/grpc-web+proto", "application/connect+json"} {
		wantREST(t, d.post(t, copyTemplate, contentType, "{}"), 404, "NOT_SENT", "ROUTE_NOT_FOUND")
	}
}

func TestWeb_Ledger_IsServedToo(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url(), webRPC)
	get := digatev1.LedgerService_GetCopy_FullMethodName
	_, want := digatev1.NewLedgerServiceClient(d.conn).GetCopy(withToken(t.Context(), token), &digatev1.GetCopyRequest{RequestId: "none"})
	for way, spoken := range everyWay() {
		client := dialWeb[digatev1.GetCopyRequest, digatev1.GetCopyResponse](t, d, spoken, get)
		_, err := client.CallUnary(t.Context(), withTheToken(&digatev1.GetCopyRequest{RequestId: "none"}))
		if got, want := webStatus(err), grpcStatus(t, want); !proto.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", way, got, want)
		}
		// NOT_SENT would be read as the fate of the copy that the call is about.
		_, err = client.CallUnary(t.Context(), connectrpc.NewRequest(&digatev1.GetCopyRequest{RequestId: "none"}))
		if e := apierror.FromStatus(status.FromProto(webStatus(err))); e.Reason != apierror.ReasonMissingCredential || e.Outcome.String() != "NOT_APPLICABLE" {
			t.Errorf("%s, without a credential: %v", way, e)
		}
	}
}

func TestWeb_CORS_LetsListedPagesCall(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url(), webRPC, func(c *config.Config) { c.Gateway.CORSOrigins = "https://app.example" })
	asked := []string{"authorization", "connect-protocol-version", "connect-timeout-ms", "content-type", "grpc-timeout", "x-grpc-web", "x-user-agent"}
	for origin, listed := range map[string]bool{"https://app.example": true, "https://other.example": false} {
		preflight := d.do(t, "OPTIONS", copyTemplate, "", "Authorization", "", "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", strings.Join(asked, ","))
		actual := d.post(t, copyTemplate, "application/json", `{"templateId":"`+templateID+`"}`, "Origin", origin)
		if !listed {
			if actual.header.Get("Access-Control-Allow-Origin") != "" || preflight.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v, %v", origin, preflight.header, actual.header)
			}
			continue
		}
		allowed := strings.Split(strings.ToLower(preflight.header.Get("Access-Control-Allow-Headers")), ", ")
		for _, header := range asked {
			if !slices.Contains(allowed, header) {
				t.Errorf("%s may not be sent: %v", header, preflight.header)
			}
		}
		if preflight.status != 204 || !strings.Contains(preflight.header.Get("Access-Control-Allow-Methods"), "POST") || preflight.header.Get("Access-Control-Max-Age") != "600" {
			t.Errorf("preflight: %d %v", preflight.status, preflight.header)
		}
		exposed := actual.header.Get("Access-Control-Expose-Headers")
		for _, header := range []string{"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin", "Digate-Replayed", "X-Request-Id", "Trailer-Digate-Omitted"} {
			if !strings.Contains(exposed, header) {
				t.Errorf("%s may not be read: %s", header, exposed)
			}
		}
		if actual.status != 200 || actual.header.Get("Access-Control-Allow-Origin") != origin || actual.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%d %v %s", actual.status, actual.header, actual.body)
		}
	}
	if rest := d.do(t, "OPTIONS", "/v1/integration/template/"+templateID+"/copy", "", "Authorization", "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST"); strings.Contains(rest.header.Get("Access-Control-Allow-Headers"), "Connect") {
		t.Errorf("REST's own routes have headers of calls: %v", rest.header)
	}
}

// The fields of a response that is too large for a gRPC caller are omitted here too, and
// the trailer names them.
func TestWeb_ResponseThatIsTooLarge_SaysWhatWasOmitted(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, strings.Replace(full, `"description":"d"`, `"description":"`+strings.Repeat("d", 70<<10)+`"`, 1)))
	d := start(t, up.url(), webRPC, func(c *config.Config) { c.MaxGRPCResponseBytes = 64 << 10 })
	for way, spoken := range everyWay() {
		client := dialWeb[integrationv1.CopyTemplateRequest, integrationv1.CopyTemplateResponse](t, d, spoken, copyTemplate)
		resp, err := client.CallUnary(t.Context(), withTheToken(&integrationv1.CopyTemplateRequest{TemplateId: templateID}))
		if err != nil || resp.Trailer().Get("Digate-Omitted") != "integration.description" || resp.Msg.GetIntegration().GetId() == "" {
			t.Errorf("%s: %v, %v", way, resp, err)
		}
	}
}

func TestWeb_JSON_IsProtobufs(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url(), webRPC)
	resp := d.post(t, copyTemplate, "application/json", `{"templateId":"`+templateID+`","variables":{"a":[1,null]},"unknown":1}`, "Accept-Encoding", "gzip")
	var m integrationv1.CopyTemplateResponse
	if err := protojson.Unmarshal([]byte(resp.body), &m); err != nil || resp.status != 200 || m.GetIntegration().GetName() != "Tienda ñ" {
		t.Errorf("%d %s (%v)", resp.status, resp.body, err)
	}
	if got := up.received()[0].body; !strings.Contains(got, `"variables":{"a":[1,null]}`) {
		t.Errorf("Diga got %s", got)
	}
	if got := metadata.MD(resp.header).Get("content-encoding"); len(got) > 0 {
		t.Errorf("a short response is compressed: %v", got)
	}
}
