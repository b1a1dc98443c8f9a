package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
)

// resetAfter is the emulator's fault that does the work and resets the connection.
const resetAfter = "00000000-0000-4000-8000-000000000603"

// createScene is a server in front of the emulator, and one integration in it.
type createScene struct {
	*digate
	emulator *emulator.Emulator
	parent   string
	records  digatev1.LedgerServiceClient
}

func newCreateScene(t *testing.T, change ...func(*config.Config)) *createScene {
	t.Helper()
	e, url := emulate(t, emulator.Options{})
	s := &createScene{digate: start(t, url, change...), emulator: e}
	s.records = digatev1.NewLedgerServiceClient(s.conn)
	resp, err := s.rpc.CreateIntegration(s.ctx(t), &integrationv1.CreateIntegrationRequest{
		Name: new("parent"), BaseUrl: new("https://x"), IntegrationType: integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP, RequestId: "parent",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.parent = resp.GetIntegration().GetId()
	return s
}

func (*createScene) ctx(t *testing.T) context.Context { return withToken(t.Context(), token) }

// creates are the methods besides CopyTemplate that create something.
var creates = []struct {
	name   string
	method digatev1.Method
	rpc    func(s *createScene, ctx context.Context, name, requestID string, o ...grpc.CallOption) (id string, err error)
	path   func(s *createScene) string
	body   string // with %q for the name
	count  func(s *createScene) int
}{
	{
		"CreateIntegration", digatev1.Method_METHOD_CREATE_INTEGRATION,
		func(s *createScene, ctx context.Context, name, requestID string, o ...grpc.CallOption) (string, error) {
			resp, err := s.rpc.CreateIntegration(ctx, &integrationv1.CreateIntegrationRequest{
				Name: &name, BaseUrl: new("https://x"), IntegrationType: integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP, RequestId: requestID,
			}, o...)
			return resp.GetIntegration().GetId(), err
		},
		func(*createScene) string { return "/v1/integration" },
		`{"name":%q,"base_url":"https://x","integration_type":"HTTP"}`,
		func(s *createScene) int { return len(s.emulator.Integrations(token)) - 1 }, // without the parent
	},
	{
		"CreateTool", digatev1.Method_METHOD_CREATE_TOOL,
		func(s *createScene, ctx context.Context, name, requestID string, o ...grpc.CallOption) (string, error) {
			resp, err := s.rpc.CreateTool(ctx, &integrationv1.CreateToolRequest{
				IntegrationId: s.parent, Name: &name, Description: new("d"), EndpointPath: new("/"), Method: integrationv1.HttpMethod_HTTP_METHOD_GET, RequestId: requestID,
			}, o...)
			return resp.GetTool().GetHttp().GetId(), err
		},
		func(s *createScene) string { return "/v1/integration/" + strings.ToUpper(s.parent) + "/tool" },
		`{"name":%q,"description":"d","endpoint_path":"/","method":"GET"}`,
		func(s *createScene) int {
			for _, in := range s.emulator.Integrations(token) {
				if in.ID == s.parent {
					return len(in.Tools)
				}
			}
			return -1
		},
	},
}

func TestRequestIDOfACreate_SameOnBothProtocols_CreatesOnce(t *testing.T) {
	t.Parallel()
	for _, c := range creates {
		s := newCreateScene(t)
		id, err := c.rpc(s, s.ctx(t), "first", "one")
		if err != nil || id == "" {
			t.Fatalf("%s: %q %v", c.name, id, err)
		}
		rest := s.do(t, "POST", c.path(s), fmt.Sprintf(c.body, "first"), "Idempotency-Key", "one")
		if rest.status != 201 || !strings.Contains(rest.body, `"id":"`+id+`"`) || rest.header.Get("Digate-Replayed") != "true" {
			t.Errorf("%s, again over REST: %d %s %v", c.name, rest.status, rest.body, rest.header)
		}
		var header metadata.MD
		again, err := c.rpc(s, s.ctx(t), "first", "one", grpc.Header(&header))
		if err != nil || again != id || strings.Join(header.Get("digate-replayed"), "") != "true" {
			t.Errorf("%s, again over gRPC: %q %v %v", c.name, again, err, header)
		}
		_, err = c.rpc(s, s.ctx(t), "second", "one")
		if e := apierror.FromError(err); e == nil || e.Code != codes.InvalidArgument || e.Violations[0].Reason != "REQUEST_ID_REUSED" {
			t.Errorf("%s, another request: %v", c.name, err)
		}
		wantREST(t, s.do(t, "POST", c.path(s), fmt.Sprintf(c.body, "second"), "Idempotency-Key", "one"), 422, "NOT_SENT", "")
		if n := c.count(s); n != 1 {
			t.Errorf("%s: %d were created", c.name, n)
		}
		if rest := s.do(t, "POST", c.path(s), fmt.Sprintf(c.body, "over REST"), "Idempotency-Key", "two"); rest.status != 201 || rest.header.Get("Digate-Replayed") != "" {
			t.Errorf("%s, first over REST: %d %s %v", c.name, rest.status, rest.body, rest.header)
		}
		// Each method has request ids of its own, and another caller has others.
		if _, err := s.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "one"}); err != nil {
			t.Errorf("%s: a copy with the same request id: %v", c.name, err)
		}
		got, err := s.records.GetCopy(s.ctx(t), &digatev1.GetCopyRequest{RequestId: "one", Method: c.method})
		want := &digatev1.Copy{RequestId: "one", Method: c.method, State: digatev1.Copy_STATE_DONE, ClaimTime: got.GetCopy().GetClaimTime(), Record: got.GetCopy().GetRecord()}
		if c.method == digatev1.Method_METHOD_CREATE_TOOL {
			want.ToolId, want.ParentIntegrationId = id, s.parent
		} else {
			want.IntegrationId = id
		}
		if err != nil || !proto.Equal(got.GetCopy(), want) {
			t.Errorf("%s: the record is %v (%v), want %v", c.name, got.GetCopy(), err, want)
		}
		if _, err := s.records.GetCopy(withToken(t.Context(), "other"), &digatev1.GetCopyRequest{RequestId: "one", Method: c.method}); apierror.FromError(err).Reason != apierror.ReasonNoRecord {
			t.Errorf("%s: another caller: %v", c.name, err)
		}
	}
}

func TestRequestIDOfACreate_OutcomeUnknown_IsInDoubtUntilItIsSettled(t *testing.T) {
	t.Parallel()
	for _, c := range creates {
		s := newCreateScene(t)
		_, err := c.rpc(s, s.ctx(t), resetAfter, "lost")
		if e := apierror.FromError(err); e == nil || e.Outcome.String() != "UNKNOWN" {
			t.Fatalf("%s: %v", c.name, err)
		}
		got, err := s.records.GetCopy(s.ctx(t), &digatev1.GetCopyRequest{RequestId: "lost", Method: c.method})
		candidates := got.GetCopy().GetCandidates()
		if err != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_UNKNOWN || len(candidates) != 1 || candidates[0].GetName() != resetAfter {
			t.Fatalf("%s: %v %v", c.name, got, err)
		}
		made := candidates[0].GetIntegrationId() + candidates[0].GetToolId() // one of them
		for range 2 {
			_, err := c.rpc(s, s.ctx(t), resetAfter, "lost")
			e := apierror.FromError(err)
			if e == nil || e.Code != codes.Aborted || strings.Join(append(e.IntegrationIDs, e.ToolIDs...), "") != made {
				t.Errorf("%s, again: %v", c.name, err)
			}
		}
		wantREST(t, s.do(t, "POST", c.path(s), fmt.Sprintf(c.body, resetAfter), "Idempotency-Key", "lost"), 409, "UNKNOWN", "OUTCOME_UNKNOWN")
		right, wrong := &digatev1.ResolveCopyRequest{RequestId: "lost", Method: c.method}, &digatev1.ResolveCopyRequest{RequestId: "lost", Method: c.method}
		right.Resolution, wrong.Resolution = &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: made}, &digatev1.ResolveCopyRequest_ToolId{ToolId: made}
		if c.method == digatev1.Method_METHOD_CREATE_TOOL {
			right.Resolution, wrong.Resolution = wrong.Resolution, right.Resolution
		}
		if _, err := s.records.ResolveCopy(s.ctx(t), wrong); apierror.FromError(err) == nil || apierror.FromError(err).Code != codes.InvalidArgument {
			t.Errorf("%s, settled with a resource of the other type: %v", c.name, err)
		}
		other := proto.CloneOf(right)
		other.Method = digatev1.Method_METHOD_UNSPECIFIED
		if other.GetToolId() == "" {
			if _, err := s.records.ResolveCopy(s.ctx(t), other); apierror.FromError(err).Reason != apierror.ReasonNoRecord {
				t.Errorf("%s, settled as a copy: %v", c.name, err)
			}
		}
		if _, err := s.records.ResolveCopy(s.ctx(t), right); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if again, err := c.rpc(s, s.ctx(t), resetAfter, "lost"); err != nil || again != made {
			t.Errorf("%s, after it was settled: %q, %v; want %q", c.name, again, err, made)
		}
		if n := c.count(s); n != 1 {
			t.Errorf("%s: %d were created", c.name, n)
		}
	}
}

func TestRequestIDOfACreate_RequiredAndMissing_IsRefusedOnBothProtocols(t *testing.T) {
	t.Parallel()
	s := newCreateScene(t, func(c *config.Config) { c.Integration.RequireRequestID = true })
	for _, c := range creates {
		_, err := c.rpc(s, s.ctx(t), "n", "")
		if e := apierror.FromError(err); e == nil || e.Code != codes.InvalidArgument || e.Violations[0].Field != "request_id" {
			t.Errorf("%s: %v", c.name, err)
		}
		wantREST(t, s.do(t, "POST", c.path(s), fmt.Sprintf(c.body, "n")), 422, "NOT_SENT", "")
		if n := c.count(s); n != 0 {
			t.Errorf("%s: %d were created", c.name, n)
		}
	}
}

// An id that Diga refuses is free again.
func TestRequestIDOfACreate_Rejected_IsFree(t *testing.T) {
	t.Parallel()
	s := newCreateScene(t)
	tool := creates[1]
	if _, err := tool.rpc(s, s.ctx(t), "taken", "first"); err != nil {
		t.Fatal(err)
	}
	_, err := tool.rpc(s, s.ctx(t), "taken", "second")
	if e := apierror.FromError(err); e == nil || e.Code != codes.AlreadyExists || e.Outcome.String() != "REJECTED" {
		t.Fatalf("a name that is taken: %v", err)
	}
	if id, err := tool.rpc(s, s.ctx(t), "free", "second"); err != nil || id == "" {
		t.Errorf("%q %v", id, err)
	}
}

// A tool that was created is known by its id, whatever Diga says of its type.
func TestRequestIDOfACreate_ToolOfAnUnknownType_KeepsItsID(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	for _, odd := range []string{`"type":"GRAPHQL"`, `"type":null`, `"type":1`, `"name":"n"`} {
		up.will(respond(201, nil, `{"id":"`+id+`",`+odd+`}`))
		req := &integrationv1.CreateToolRequest{
			IntegrationId: templateID, Name: new("n"), Description: new("d"), EndpointPath: new("/"), Method: integrationv1.HttpMethod_HTTP_METHOD_GET, RequestId: odd,
		}
		for call := range 2 {
			resp, err := d.rpc.CreateTool(withToken(t.Context(), token), req)
			if got := resp.GetTool().GetHttp().GetId(); err != nil && (call == 0 || apierror.FromError(err).Reason != apierror.ReasonAlreadyCreated) || err == nil && got != id {
				t.Errorf("%s, call %d: %q %v", odd, call, got, err)
			}
		}
		if posts(up) != 1 {
			t.Errorf("%s: %d tools", odd, posts(up))
		}
	}
}

// A redirect may say where that is which was created, so its request id is not free.
func TestRequestID_RedirectAfterTheWork_IsNotSentAgain(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	up.will(inTurn(respond(303, map[string]string{"Location": "/v1/integration/" + id}, ""), respond(200, nil, `{"data":[],"has_more":false}`)))
	for range 2 {
		_, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "r"})
		if err == nil || err.Outcome.String() != "UNKNOWN" {
			t.Errorf("%v", err)
		}
	}
	if posts(up) != 1 {
		t.Errorf("%d copies", posts(up))
	}
}
