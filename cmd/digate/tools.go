package main

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

type toolsCmd struct {
	List    toolsListCmd    `cmd:"" help:"List an integration's tools."`
	Approve toolsApproveCmd `cmd:"" help:"Make the agent ask before it calls tools, or stop asking."`
}

type toolsListCmd struct {
	IntegrationID string `arg:"" name:"integration_id" help:"The integration's id, a UUID."`

	listFlags `embed:""`
}

func (c *toolsListCmd) Run(ctx context.Context, std term.IO) error { return c.list().show(ctx, std) }

func (c *toolsListCmd) list() list[*integrationv1.ListToolsResponse] {
	return list[*integrationv1.ListToolsResponse]{&c.listFlags, c.page, c.every, func(p *integrationv1.ListToolsResponse) term.Table {
		t := term.Table{{"ID", "NAME", "TYPE", "APPROVAL", "METHOD", "PATH", "DESCRIPTION"}}
		for _, x := range p.GetData() {
			t = append(t, toolRow(x))
		}
		return t
	}}
}

func (c *toolsListCmd) page(ctx context.Context, client integrationv1.IntegrationServiceClient, after *string) (*integrationv1.ListToolsResponse, error) {
	return client.ListTools(ctx, &integrationv1.ListToolsRequest{
		IntegrationId: c.IntegrationID, After: after, Before: c.Before, Page: c.Page, Limit: c.Limit, Order: c.order(),
	})
}

func (c *toolsListCmd) every(ctx context.Context, client integrationv1.IntegrationServiceClient, after *string, most *int32) (*integrationv1.ListToolsResponse, error) {
	whole := new(integrationv1.ListToolsResponse)
	return gather(whole, after, func(after *string) (grpc.ServerStreamingClient[integrationv1.StreamToolsResponse], error) {
		return client.StreamTools(ctx, &integrationv1.StreamToolsRequest{IntegrationId: c.IntegrationID, After: after, MaxItems: most, Order: c.order()})
	}, func(m *integrationv1.StreamToolsResponse) string {
		whole.Data = append(whole.Data, m.GetTool())
		return toolRow(m.GetTool())[0]
	})
}

func toolRow(t *integrationv1.Tool) []string {
	approval := func(required bool) string { return map[bool]string{true: "asks", false: "no"}[required] }
	switch x := t.GetTool().(type) {
	case *integrationv1.Tool_Http:
		h := x.Http
		return []string{h.GetId(), h.GetName(), "HTTP", approval(h.GetApprovalRequired()), digajson.EnumText(h.GetMethod()), h.GetEndpointPath(), h.GetDescription()}
	case *integrationv1.Tool_Mcp:
		m := x.Mcp
		return []string{m.GetId(), m.GetName(), "MCP", approval(m.GetApprovalRequired()), "", "", m.GetDescription()}
	default:
		return make([]string, 7)
	}
}

type toolsApproveCmd struct {
	IntegrationID string   `arg:"" name:"integration_id" help:"The integration's id, a UUID."`
	ToolID        []string `arg:"" name:"tool_id" sep:"none" help:"The tools' ids, UUIDs."`
	No            bool     `name:"no" help:"Make the agent stop asking."`

	client.CallFlags `embed:""`
}

// Help is shown by --help.
func (toolsApproveCmd) Help() string { return client.ExitHelp }

func (c *toolsApproveCmd) Run(ctx context.Context, std term.IO) error {
	req := &integrationv1.SetToolApprovalsRequest{IntegrationId: c.IntegrationID}
	asks := !c.No
	for _, id := range c.ToolID {
		req.Tools = append(req.Tools, &integrationv1.ToolApproval{ToolId: id, ApprovalRequired: &asks})
	}
	ctx, service, done, err := c.DialIntegrations(ctx, std, client.Changes)
	if err != nil {
		return err
	}
	defer done()
	resp, err := service.SetToolApprovals(ctx, req)
	if err != nil {
		return client.Fail(std.Err, c.Output, client.Changes, err, append([]string{"tools", "list", c.IntegrationID}, c.Words()...)...)
	}
	if c.Output == client.OutputJSON {
		return client.PrintJSON(std.Out, resp)
	}
	for _, id := range c.ToolID {
		if _, err := fmt.Fprintf(std.Out, "tool %s: the agent %s\n", term.Printable(id), map[bool]string{true: "asks first", false: "does not ask"}[asks]); err != nil {
			return err
		}
	}
	return nil
}
