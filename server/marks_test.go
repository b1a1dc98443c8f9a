package server_test

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
)

func marking(c *config.Config) { c.Copies.SettleDoubts = "mark" }

// markIn finds marks.
var markIn = regexp.MustCompile(`~[0-9a-hjkmnp-tv-z]{10}`)

// asDiga returns a script of a Diga that knows the template called Template.
func asDiga(created, renamed string) script {
	return func(c net.Conn, r sent) bool {
		switch method, _, _ := strings.Cut(r.line, " "); method {
		case "GET":
			return respond(200, nil, `{"id":"`+templateID+`","name":"Template","language":"en","template":{}}`)(c, r)
		case "PATCH":
			return respond(200, nil, renamed)(c, r)
		default:
			return respond(201, nil, created)(c, r)
		}
	}
}

// The bytes that Diga gets, and those that the caller gets, are the same on both
// protocols.
func TestMarks_OnBothProtocols_DigaGetsTheMarkAndThenTheName(t *testing.T) {
	t.Parallel()
	const renamed = ` {"id":"` + id + `","name":"asked","base_url":"https://x","auth_type":"NONE","unknown":[1.0]}`
	create := &integrationv1.CreateIntegrationRequest{Name: new("asked"), BaseUrl: new("https://x"), IntegrationType: integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP}
	copyRoute := "POST /v1/integration/template/" + templateID + "/copy HTTP/1.1"
	patch := "PATCH /v1/integration/" + id + ` HTTP/1.1 {"name":"asked"}`
	for what, c := range map[string]struct {
		path, body string
		call       func(d *digate, id string) (*integrationv1.Integration, error)
		want       []string
	}{
		"a copy": {
			"/v1/integration/template/" + templateID + "/copy", `{"name":"asked","api_key":"k","variables":{"a":"1"}}`,
			func(d *digate, id string) (*integrationv1.Integration, error) {
				resp, err := d.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{
					TemplateId: templateID, Name: new("asked"), ApiKey: new("k"), Variables: structOf("a", "1"), RequestId: id,
				})
				return resp.GetIntegration(), err
			},
			[]string{copyRoute + ` {"name":"asked~MARK","api_key":"k","variables":{"a":"1"}}`, patch},
		},
		"a copy without a name": {
			"/v1/integration/template/" + templateID + "/copy", `{}`,
			func(d *digate, id string) (*integrationv1.Integration, error) {
				resp, err := d.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: id})
				return resp.GetIntegration(), err
			},
			[]string{
				"GET /v1/integration/template/" + templateID + " HTTP/1.1 ", copyRoute + ` {"name":"Template~MARK"}`,
				"PATCH /v1/integration/" + id + ` HTTP/1.1 {"name":"Template"}`,
			},
		},
		"a new integration": {
			"/v1/integration", `{"name":"asked","base_url":"https://x","integration_type":"HTTP"}`,
			func(d *digate, id string) (*integrationv1.Integration, error) {
				create.RequestId = id
				resp, err := d.rpc.CreateIntegration(withToken(t.Context(), token), create)
				return resp.GetIntegration(), err
			},
			[]string{`POST /v1/integration HTTP/1.1 {"name":"asked~MARK","base_url":"https://x","integration_type":"HTTP"}`, patch},
		},
	} {
		up := newScripted(t)
		d := start(t, up.url(), marking)
		got := func() (lines []string) {
			for _, r := range up.received() {
				lines = append(lines, markIn.ReplaceAllString(r.line+" "+r.body, "~MARK"))
			}
			return lines
		}
		up.will(asDiga(full, renamed))
		in, err := c.call(d, "grpc")
		if err != nil || in.GetId() != id || in.GetName() != "asked" {
			t.Errorf("%s, gRPC: %v %v", what, in, err)
		}
		if got := got(); !slices.Equal(got, c.want) {
			t.Errorf("%s, gRPC: Diga received %q, want %q", what, got, c.want)
		}
		up.will(asDiga(full, renamed))
		rest := d.do(t, "POST", c.path, c.body, "Idempotency-Key", "rest")
		if rest.status != 201 || rest.body != renamed || rest.header.Get("Digate-Replayed") != "" {
			t.Errorf("%s, REST: %d %s", what, rest.status, rest.body)
		}
		if got := got(); !slices.Equal(got, c.want) {
			t.Errorf("%s, REST: Diga received %q, want %q", what, got, c.want)
		}
		up.will(asDiga(full, renamed))
		if _, err := c.call(d, ""); err != nil {
			t.Errorf("%s, without an id: %v", what, err)
		}
		if got := up.received(); len(got) != 1 || markIn.MatchString(got[0].body) {
			t.Errorf("%s, without an id: Diga received %v", what, got)
		}
	}
}

// A replay has no mark either, whoever asks.
func TestMarks_PatchFails_CallerGetsWhatDigaHasAndTheRepeatTheName(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), marking)
	var created string
	patched := false
	up.will(func(c net.Conn, r sent) bool {
		method, _, _ := strings.Cut(r.line, " ")
		switch {
		case method == "POST":
			created = `{"id":"` + id + `",` + strings.TrimPrefix(r.body, "{")
			return respond(201, nil, created)(c, r)
		case method == "GET":
			return respond(200, nil, created)(c, r)
		case patched:
			return respond(200, nil, `{"id":"`+id+`",`+strings.TrimPrefix(r.body, "{"))(c, r)
		default:
			return respond(500, nil, envelope)(c, r)
		}
	})
	rest := d.copyREST(t, templateID, `{"name":"asked"}`, "Idempotency-Key", "k")
	if rest.status != 201 || rest.body != created || !markIn.MatchString(rest.body) {
		t.Errorf("%d %s", rest.status, rest.body)
	}
	d.log.await(t, 1, "keeps the mark of its call")
	patched = true
	rest = d.copyREST(t, templateID, `{"name":"asked"}`, "Idempotency-Key", "k")
	if rest.status != 201 || rest.body != `{"id":"`+id+`","name":"asked"}` || rest.header.Get("Digate-Replayed") != "true" {
		t.Errorf("%d %s", rest.status, rest.body)
	}
	if posts(up) != 1 {
		t.Errorf("%d copies", posts(up))
	}
	metrics := d.scrape(t)
	for _, line := range []string{
		`digate_operations_total{code="OK",kind="rename",outcome="DONE"} 1`,
		`digate_upstream_requests_total{method="diga.integration.v1.IntegrationService/UpdateIntegration",outcome="UNKNOWN",status="500"} 2`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s in the metrics", line)
		}
	}
}

// markScene is a server that marks, in front of the emulator.
func markScene(t *testing.T) *createScene {
	t.Helper()
	return newCreateScene(t, marking)
}

// named returns the ids of the integrations whose names the function takes.
func (s *createScene) named(is func(name string) bool) (ids []string) {
	for _, in := range s.emulator.Integrations(token) {
		if is(in.Name) {
			ids = append(ids, in.ID)
		}
	}
	return ids
}

func hasMark(name string) bool { return markIn.MatchString(name) }

func TestMarks_ResponseLost_RepeatOnEitherProtocolSettlesTheDoubt(t *testing.T) {
	t.Parallel()
	for _, rest := range []bool{false, true} {
		s := markScene(t)
		req := &integrationv1.CopyTemplateRequest{TemplateId: resetAfter, Name: new("asked"), RequestId: "lost"}
		if _, err := s.copyRPC(t, req); err == nil || err.Outcome.String() != "UNKNOWN" {
			t.Fatal(err)
		}
		made := s.named(hasMark)
		if len(made) != 1 {
			t.Fatalf("%v are marked", made)
		}
		if rest {
			got := s.copyREST(t, resetAfter, `{"name":"asked"}`, "Idempotency-Key", "lost")
			if got.status != 201 || got.header.Get("Digate-Replayed") != "true" || !strings.Contains(got.body, `"id":"`+made[0]+`","name":"asked"`) {
				t.Errorf("%d %s %v", got.status, got.body, got.header)
			}
		} else {
			var header metadata.MD
			resp, err := s.rpc.CopyTemplate(s.ctx(t), req, grpc.Header(&header))
			if err != nil || resp.GetIntegration().GetId() != made[0] || resp.GetIntegration().GetName() != "asked" || len(header.Get("digate-replayed")) != 1 {
				t.Errorf("%v %v %v", resp, err, header)
			}
		}
		if left := s.named(hasMark); len(left) > 0 {
			t.Errorf("%v keep their marks", left)
		}
		got, err := s.records.GetCopy(s.ctx(t), &digatev1.GetCopyRequest{RequestId: "lost"})
		if err != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_DONE || got.GetCopy().GetIntegrationId() != made[0] {
			t.Errorf("%v %v", got, err)
		}
		line := `"msg":"a call in doubt was settled by its mark","ledger_record":"` + got.GetCopy().GetRecord() + `","method":"diga.integration.v1.IntegrationService/`
		if n := strings.Count(s.log.String(), line); n != 1 {
			t.Errorf("%d lines in the log", n)
		}
	}
}

// GetCopy and ResolveCopy look for the mark too.
func TestMarks_LedgerService_SettlesWhatHasTheMark(t *testing.T) {
	t.Parallel()
	s := markScene(t)
	doubt := func(requestID string) (made string) {
		t.Helper()
		before := s.named(hasMark)
		req := &integrationv1.CopyTemplateRequest{TemplateId: resetAfter, Name: new(requestID), RequestId: requestID}
		if _, err := s.copyRPC(t, req); err == nil || err.Outcome.String() != "UNKNOWN" {
			t.Fatal(err)
		}
		after := slices.DeleteFunc(s.named(hasMark), func(id string) bool { return slices.Contains(before, id) })
		return after[0]
	}
	resolve := func(requestID, integrationID string) (*digatev1.Copy, *apierror.Error) {
		req := &digatev1.ResolveCopyRequest{RequestId: requestID, Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true}}
		if integrationID != "" {
			req.Resolution = &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: integrationID}
		}
		resp, err := s.records.ResolveCopy(s.ctx(t), req)
		return resp.GetCopy(), apierror.FromError(err)
	}

	shown, claimed, other, right := doubt("shown"), doubt("claimed"), doubt("other"), doubt("right")
	for range 2 {
		got, err := s.records.GetCopy(s.ctx(t), &digatev1.GetCopyRequest{RequestId: "shown"})
		if err != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_DONE || got.GetCopy().GetIntegrationId() != shown || len(got.GetCopy().GetCandidates()) > 0 {
			t.Errorf("%v %v", got, err)
		}
	}
	for requestID, id := range map[string]string{"claimed": "", "other": shown} {
		if _, err := resolve(requestID, id); err == nil || err.Code != codes.FailedPrecondition {
			t.Errorf("%s was settled against its mark: %v", requestID, err)
		}
	}
	if got, err := resolve("right", strings.ToUpper(right)); err != nil || got.GetIntegrationId() != right || got.GetState() != digatev1.Copy_STATE_DONE {
		t.Errorf("%v %v", got, err)
	}
	for requestID, id := range map[string]string{"shown": shown, "claimed": claimed, "other": other, "right": right} {
		in, err := s.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: resetAfter, Name: &requestID, RequestId: requestID})
		if err != nil || in.GetId() != id || in.GetName() != requestID {
			t.Errorf("%s: %v %v", requestID, in, err)
		}
	}
}

// Diga did the work twice: only a person can decide between the two.
func TestMarks_TwoWithTheMark_StayInDoubtAndAreBothNamed(t *testing.T) {
	t.Parallel()
	s := markScene(t)
	req := &integrationv1.CopyTemplateRequest{TemplateId: resetAfter, Name: new("asked"), RequestId: "lost"}
	_, _ = s.copyRPC(t, req)
	var marked string
	s.named(func(name string) bool {
		if hasMark(name) {
			marked = name
		}
		return false
	})
	if _, err := s.rpc.CreateIntegration(s.ctx(t), &integrationv1.CreateIntegrationRequest{
		Name: &marked, BaseUrl: new("https://x"), IntegrationType: integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP,
	}); err != nil {
		t.Fatal(err)
	}
	both := s.named(hasMark)
	if len(both) != 2 {
		t.Fatalf("%v are marked", both)
	}
	slices.Sort(both)
	_, err := s.copyRPC(t, req)
	if err == nil || err.Code != codes.Aborted {
		t.Fatalf("%v", err)
	}
	slices.Sort(err.IntegrationIDs)
	if !slices.Equal(err.IntegrationIDs, both) {
		t.Errorf("the error names %v, want %v", err.IntegrationIDs, both)
	}
	got, failed := s.records.GetCopy(s.ctx(t), &digatev1.GetCopyRequest{RequestId: "lost"})
	if failed != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_UNKNOWN || len(got.GetCopy().GetCandidates()) != 2 {
		t.Errorf("%v %v", got, failed)
	}
	settle := func(req *digatev1.ResolveCopyRequest) error {
		req.RequestId = "lost"
		_, err := s.records.ResolveCopy(s.ctx(t), req)
		return err
	}
	if err := settle(&digatev1.ResolveCopyRequest{Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true}}); apierror.FromError(err).Reason != apierror.ReasonNotResolvable {
		t.Errorf("settled as not created: %v", err)
	}
	if err := settle(&digatev1.ResolveCopyRequest{Resolution: &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: both[1]}}); err != nil {
		t.Errorf("%v", err)
	}
	if in, err := s.copyRPC(t, req); err != nil || in.GetId() != both[1] || in.GetName() != "asked" {
		t.Errorf("%v %v", in, err)
	}
}

// The copies of a stream are marked as others are, and read the name of a template
// once.
func TestMarks_Bulk_CopiesHaveTheirNames(t *testing.T) {
	t.Parallel()
	e, url := emulate(t, emulator.Options{})
	d := start(t, url, marking)
	stream := d.bulk(t.Context(), t)
	for i := range 20 {
		req := item(templateID, fmt.Sprint("unnamed-", i))
		if i%2 == 0 {
			req = item(resetAfter, fmt.Sprint("lost-", i))
			req.Copy.Name = new("named")
		}
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	results, summary, err := drain(stream)
	if err != nil || len(results) != 20 || summary.GetDone() != 10 || summary.GetUnknown() != 10 {
		t.Fatalf("%v %v", summary, err)
	}
	template := e.Templates()[slices.IndexFunc(e.Templates(), func(t emulator.Template) bool { return t.ID == templateID })]
	for _, r := range results {
		if in := r.GetIntegration(); in != nil && in.GetName() != template.Name {
			t.Errorf("%s: %v", r.GetRequestId(), in)
		}
	}
	body := strings.Builder{}
	for i := 0; i < 20; i += 2 {
		fmt.Fprintf(&body, `{"request_id":"lost-%d","template_id":%q,"name":"named"}`+"\n", i, resetAfter)
	}
	rest := d.do(t, "POST", "/v1/integration/template:bulkCopy", body.String())
	if !strings.Contains(rest.body, `"summary":{"total":10,"done":10,"replayed":10,`) {
		t.Errorf("%d %s", rest.status, rest.body)
	}
	names := make(map[string]int)
	for _, in := range e.Integrations(token) {
		names[in.Name]++
	}
	if len(names) != 2 || names["named"] != 10 || names[template.Name] != 10 {
		t.Errorf("%v", names)
	}
	line := `digate_upstream_requests_total{method="diga.integration.v1.IntegrationService/GetTemplate",outcome="DONE",status="200"} 1`
	if metrics := d.scrape(t); !strings.Contains(metrics, line+"\n") {
		t.Error("the name of the template was not read once")
	}
}

func TestMarks_LedgerInMemory_StartSaysWhatThatMeans(t *testing.T) {
	t.Parallel()
	_, url := emulate(t, emulator.Options{})
	start(t, url, marking).log.await(t, 1, "settles no doubt of a server that was killed")
}
