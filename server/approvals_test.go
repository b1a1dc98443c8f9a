package server_test

import (
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

func TestSetToolApprovals_BothProtocols_ChangeTheToolsAndReturnNoBody(t *testing.T) {
	t.Parallel()
	emu, url := emulated(t)
	d := start(t, url)
	copied, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if e != nil {
		t.Fatal(e)
	}
	tools := emu.Integrations(token)[0].Tools
	if len(tools) < 2 {
		t.Fatalf("the template has %d tools; the test needs two", len(tools))
	}
	path := "/v1/integration/" + copied.GetId() + "/tool-approval"
	rest := d.do(t, "PATCH", path, `{"tools":[{"tool_id":"`+tools[0].ID+`","approval_required":true}]}`)
	if rest.status != 204 || rest.body != "" || rest.header.Get("Content-Type") != "" {
		t.Errorf("REST: %d %q %v", rest.status, rest.body, rest.header)
	}
	ctx := withToken(t.Context(), token)
	_, err := d.rpc.SetToolApprovals(ctx, &integrationv1.SetToolApprovalsRequest{IntegrationId: copied.GetId(), Tools: []*integrationv1.ToolApproval{
		{ToolId: tools[0].ID, ApprovalRequired: proto.Bool(false)},
		{ToolId: tools[1].ID, ApprovalRequired: proto.Bool(true)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	after := emu.Integrations(token)[0].Tools
	if after[0].ApprovalRequired || !after[1].ApprovalRequired {
		t.Errorf("Diga has %+v", after[:2])
	}

	_, err = d.rpc.SetToolApprovals(ctx, &integrationv1.SetToolApprovalsRequest{IntegrationId: copied.GetId(), Tools: []*integrationv1.ToolApproval{
		{ToolId: "x", ApprovalRequired: proto.Bool(true)}, {ToolId: tools[0].ID},
	}})
	bad := apierror.FromError(err)
	var fields []string
	for _, v := range bad.Violations {
		fields = append(fields, v.Field)
	}
	if bad.Code != codes.InvalidArgument || bad.Outcome != exchange.NotSent || !slices.Equal(fields, []string{"tools[0].tool_id", "tools[1].approval_required"}) {
		t.Errorf("got %v, fields %v", bad, fields)
	}
	rest = d.do(t, "PATCH", path, `{"tools":[]}`)
	if rest.status != 422 || rest.body != `{"detail":[{"type":"too_short","loc":["body","tools"],"msg":"must have 1 items or more"}]}` {
		t.Errorf("REST: %d %s", rest.status, rest.body)
	}
	rest = d.do(t, "PATCH", path, `{"tools":[{"tool_id":"x","approval_required":1}]}`)
	if rest.status != 422 || rest.body != `{"detail":[{"type":"bool_type","loc":["body","tools",0,"approval_required"],"msg":"must be true or false"}]}` {
		t.Errorf("REST: %d %s", rest.status, rest.body)
	}
}
