package main

import (
	"context"

	"google.golang.org/grpc"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

type integrationsCmd struct {
	List   integrationsListCmd   `cmd:"" help:"List the integrations."`
	Get    integrationsGetCmd    `cmd:"" help:"Show one integration, and what its setup still needs."`
	Update integrationsUpdateCmd `cmd:"" help:"Change an integration."`
	Delete integrationsDeleteCmd `cmd:"" help:"Delete an integration and its tools, for good."`
}

type integrationsListCmd struct {
	Type string `name:"type" enum:"HTTP,MCP," default:"" placeholder:"TYPE" help:"Only integrations of this type, HTTP or MCP."`

	listFlags `embed:""`
}

func (c *integrationsListCmd) Run(ctx context.Context, std term.IO) error {
	return c.list().show(ctx, std)
}

func (c *integrationsListCmd) list() list[*integrationv1.ListIntegrationsResponse] {
	return list[*integrationv1.ListIntegrationsResponse]{&c.listFlags, c.page, c.every, func(p *integrationv1.ListIntegrationsResponse) term.Table {
		t := term.Table{{"ID", "NAME", "TYPE", "AUTH", "SETUP", "BASE_URL"}}
		for _, x := range p.GetData() {
			t = append(t, []string{x.GetId(), x.GetName(), digajson.EnumText(x.GetIntegrationType()), digajson.EnumText(x.GetAuthType()),
				map[bool]string{true: "missing", false: "done"}[x.GetRequiresSetup()], x.GetBaseUrl()})
		}
		return t
	}}
}

func (c *integrationsListCmd) page(ctx context.Context, client integrationv1.IntegrationServiceClient, after *string) (*integrationv1.ListIntegrationsResponse, error) {
	return client.ListIntegrations(ctx, &integrationv1.ListIntegrationsRequest{
		After: after, Before: c.Before, Page: c.Page, Limit: c.Limit, Order: c.order(),
		IntegrationType: c.integrationType(),
	})
}

func (c *integrationsListCmd) every(ctx context.Context, client integrationv1.IntegrationServiceClient, after *string, most *int32) (*integrationv1.ListIntegrationsResponse, error) {
	whole := new(integrationv1.ListIntegrationsResponse)
	return gather(whole, after, func(after *string) (grpc.ServerStreamingClient[integrationv1.StreamIntegrationsResponse], error) {
		return client.StreamIntegrations(ctx, &integrationv1.StreamIntegrationsRequest{After: after, MaxItems: most, Order: c.order(), IntegrationType: c.integrationType()})
	}, func(m *integrationv1.StreamIntegrationsResponse) string {
		whole.Data = append(whole.Data, m.GetIntegration())
		return m.GetIntegration().GetId()
	})
}

func (c *integrationsListCmd) integrationType() integrationv1.IntegrationType {
	return map[string]integrationv1.IntegrationType{
		"HTTP": integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP, "MCP": integrationv1.IntegrationType_INTEGRATION_TYPE_MCP,
	}[c.Type]
}

type integrationsGetCmd struct {
	IntegrationID string `arg:"" name:"integration_id" help:"The integration's id, a UUID."`

	client.CallFlags `embed:""`
}

// Help is shown by --help.
func (integrationsGetCmd) Help() string { return client.ExitHelpOfReads }

func (c *integrationsGetCmd) Run(ctx context.Context, std term.IO) error {
	ctx, service, done, err := c.DialIntegrations(ctx, std, client.Reads)
	if err != nil {
		return err
	}
	defer done()
	resp, err := service.GetIntegration(ctx, &integrationv1.GetIntegrationRequest{IntegrationId: c.IntegrationID})
	if err != nil {
		return client.Fail(std.Err, c.Output, client.Reads, err)
	}
	return showIntegration(ctx, std, &c.CallFlags, service, resp.GetIntegration(), nil)
}
