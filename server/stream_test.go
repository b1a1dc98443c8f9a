package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/emulator"
)

// drained returns the ids of a stream's items, and its end.
func drained[M any](t *testing.T, stream grpc.ServerStreamingClient[M], err error, id func(*M) string) (ids []string, end error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return ids, nil
		}
		if err != nil {
			return ids, err
		}
		ids = append(ids, id(m))
	}
}

// streamedREST returns the ids in the lines of a stream, and checks its last line.
func streamedREST(t *testing.T, d *digate, path, what string) (ids []string) {
	t.Helper()
	rest := d.do(t, "GET", path, "")
	if rest.status != 200 || rest.header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%s: %d %v %s", path, rest.status, rest.header, rest.body)
	}
	lines := strings.Split(strings.TrimSuffix(rest.body, "\n"), "\n")
	for _, line := range lines[:len(lines)-1] {
		var m map[string]struct{ ID string }
		if err := json.Unmarshal([]byte(line), &m); err != nil || len(m) != 1 || m[what].ID == "" {
			t.Fatalf("%s: %s (%v)", path, line, err)
		}
		ids = append(ids, m[what].ID)
	}
	if last, want := lines[len(lines)-1], fmt.Sprintf(`{"summary":{"items":%d}}`, len(ids)); last != want {
		t.Errorf("%s: the last line is %s, want %s", path, last, want)
	}
	return ids
}

func TestStreams_WholeListsOnBothProtocols(t *testing.T) {
	t.Parallel()
	e, url := emulate(t, emulator.Options{})
	d := start(t, url)
	ctx := withToken(t.Context(), token)
	for i := range 130 {
		if rest := d.copyREST(t, templateID, fmt.Sprintf(`{"name":"n%d"}`, i)); rest.status != 201 {
			t.Fatal(rest.body)
		}
	}
	all := e.Integrations(token) // the oldest first
	var oldestFirst []string
	for _, in := range all {
		oldestFirst = append(oldestFirst, in.ID)
	}
	newestFirst := slices.Clone(oldestFirst)
	slices.Reverse(newestFirst)
	ofIntegration := func(m *integrationv1.StreamIntegrationsResponse) string { return m.GetIntegration().GetId() }

	stream, err := d.rpc.StreamIntegrations(ctx, &integrationv1.StreamIntegrationsRequest{})
	if got, err := drained(t, stream, err, ofIntegration); err != nil || !slices.Equal(got, newestFirst) {
		t.Errorf("%d integrations, %v", len(got), err)
	}
	if got := streamedREST(t, d, "/v1/integration:stream?order=asc", "integration"); !slices.Equal(got, oldestFirst) {
		t.Errorf("%d integrations over REST", len(got))
	}
	if got := streamedREST(t, d, "/v1/integration:stream?order=asc&max_items=7&after="+oldestFirst[9], "integration"); !slices.Equal(got, oldestFirst[10:17]) {
		t.Errorf("%d integrations over REST after the tenth", len(got))
	}
	if got := streamedREST(t, d, "/v1/integration:stream?integration_type=MCP", "integration"); len(got) != 0 {
		t.Errorf("%d MCP integrations", len(got))
	}

	tools, err := d.rpc.StreamTools(ctx, &integrationv1.StreamToolsRequest{IntegrationId: oldestFirst[0]})
	got, err := drained(t, tools, err, func(m *integrationv1.StreamToolsResponse) string { return m.GetTool().GetHttp().GetId() })
	if err != nil || len(got) != len(all[0].Tools) || len(got) == 0 {
		t.Errorf("%d tools of %d, %v", len(got), len(all[0].Tools), err)
	}
	if rest := streamedREST(t, d, "/v1/integration/"+oldestFirst[0]+"/tool:stream", "tool"); !slices.Equal(rest, got) {
		t.Errorf("tools %q over REST, %q over gRPC", rest, got)
	}

	templates, err := d.rpc.StreamTemplates(ctx, &integrationv1.StreamTemplatesRequest{Language: new("en")})
	got, err = drained(t, templates, err, func(m *integrationv1.StreamTemplatesResponse) string { return m.GetTemplate().GetId() })
	if err != nil || len(got) == 0 {
		t.Errorf("%d templates, %v", len(got), err)
	}
	if rest := streamedREST(t, d, "/v1/integration/template:stream?language=en", "template"); !slices.Equal(rest, got) {
		t.Errorf("templates %q over REST, %q over gRPC", rest, got)
	}
	d.log.await(t, 1, `"method":"diga.integration.v1.IntegrationService/StreamTools"`)
	if metrics := d.scrape(t); !strings.Contains(metrics, `digate_operations_total{code="OK",kind="inner_read",outcome="DONE"}`) {
		t.Error("the pages are not counted")
	}
}

func TestStreams_Failures_AreResponsesBeforeAndLinesAfterTheFirstItem(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	page := func(more bool) string {
		return fmt.Sprintf(`{"data":[%s],"has_more":%v,"last_id":%q}`, full, more, id)
	}
	d := start(t, up.url())
	up.will(respond(404, nil, `{"status":"error","error_code":"INTEGRATION_NOT_FOUND","message":"m"}`))
	wantREST(t, d.do(t, "GET", "/v1/integration/"+templateID+"/tool:stream", ""), 404, "REJECTED", "INTEGRATION_NOT_FOUND")
	up.will(inTurn(respond(200, nil, page(true)), respond(401, nil, `{"status":"error","error_code":"UNAUTHORIZED","message":"m"}`)))
	rest := d.do(t, "GET", "/v1/integration:stream", "")
	if lines := strings.Split(rest.body, "\n"); rest.status != 200 || len(lines) != 3 || !strings.HasPrefix(lines[0], `{"integration":{"id":"`) ||
		!strings.HasPrefix(lines[1], `{"outcome":"REJECTED","http_status":401,"error":{`) || lines[2] != "" {
		t.Errorf("%d %s", rest.status, rest.body)
	}
	up.will(inTurn(respond(200, nil, page(true)), respond(403, nil, `{"status":"error","error_code":"MISSING_PERMISSIONS","message":"m"}`)))
	stream, err := d.rpc.StreamIntegrations(withToken(t.Context(), token), &integrationv1.StreamIntegrationsRequest{})
	got, err := drained(t, stream, err, func(m *integrationv1.StreamIntegrationsResponse) string { return m.GetIntegration().GetId() })
	if e := apierror.FromError(err); len(got) != 1 || e == nil || e.Code != codes.PermissionDenied || e.Outcome.String() != "REJECTED" {
		t.Errorf("%q %v", got, err)
	}

	// A page that does not say what is on it, or whether more follow, is no end.
	for _, odd := range []string{`{}`, `{"data":[]}`, `{"has_more":false}`, `{"data":null,"has_more":false}`, `{"data":[],"has_more":"no"}`} {
		up.will(respond(200, nil, odd))
		wantREST(t, d.do(t, "GET", "/v1/integration:stream", ""), 502, "UNKNOWN", "UPSTREAM_INVALID_RESPONSE")
	}

	for path, loc := range map[string]string{
		"/v1/integration/x/tool:stream":         `"loc":["path","integration_id"]`,
		"/v1/integration:stream?max_items=0":    `"loc":["query","max_items"]`,
		"/v1/integration:stream?max_items=many": `"loc":["query","max_items"]`,
		"/v1/integration/template:stream?after": `"loc":["query","after"]`,
	} {
		rest := d.do(t, "GET", path, "")
		if wantREST(t, rest, 422, "NOT_SENT", ""); !strings.Contains(rest.body, loc) {
			t.Errorf("%s: %s", path, rest.body)
		}
	}
	if rest := d.do(t, "HEAD", "/v1/integration:stream", ""); rest.status != 200 || rest.body != "" {
		t.Errorf("HEAD: %d %q", rest.status, rest.body)
	}
	if rest := d.do(t, "POST", "/v1/integration:stream", ""); rest.status != 405 || rest.header.Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("POST: %d %v", rest.status, rest.header)
	}
	wantREST(t, d.do(t, "GET", "/v1/integration:stream", "", "Authorization", ""), 401, "NOT_SENT", "MISSING_CREDENTIAL")
}
