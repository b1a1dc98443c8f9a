package main

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

type integrationsCmd struct {
	List   integrationsListCmd   `cmd:"" help:"List the integrations."`
	Get    integrationsGetCmd    `cmd:"" help:"Show one integration, and what its setup still misses."`
	Update integrationsUpdateCmd `cmd:"" help:"Change an integration."`
	Delete integrationsDeleteCmd `cmd:"" help:"Remove an integration with its tools, for good."`
}

type integrationsListCmd struct {
	Type string `name:"type" enum:"HTTP,MCP," default:"" placeholder:"TYPE" help:"Only integrations of this type, HTTP or MCP."`

	listFlags `embed:""`
}

func (c *integrationsListCmd) Run(ctx context.Context, std stdio) error {
	return list(ctx, std, &c.listFlags, c.page, func(p *integrationv1.ListIntegrationsResponse) table {
		t := table{{"ID", "NAME", "TYPE", "AUTH", "SETUP", "BASE_URL"}}
		for _, x := range p.GetData() {
			t = append(t, []string{x.GetId(), x.GetName(), digajson.EnumText(x.GetIntegrationType()), digajson.EnumText(x.GetAuthType()),
				map[bool]string{true: "missing", false: "done"}[x.GetRequiresSetup()], x.GetBaseUrl()})
		}
		return t
	})
}

func (c *integrationsListCmd) page(ctx context.Context, client integrationv1.IntegrationServiceClient, after *string) (*integrationv1.ListIntegrationsResponse, error) {
	return client.ListIntegrations(ctx, &integrationv1.ListIntegrationsRequest{
		After: after, Before: c.Before, Page: c.Page, Limit: c.limit(), Order: c.order(),
		IntegrationType: map[string]integrationv1.IntegrationType{
			"HTTP": integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP, "MCP": integrationv1.IntegrationType_INTEGRATION_TYPE_MCP,
		}[c.Type],
	})
}

type integrationsGetCmd struct {
	IntegrationID string `arg:"" name:"integration_id" help:"The integration's id, a UUID."`

	callFlags `embed:""`
}

// Help is shown by --help.
func (integrationsGetCmd) Help() string { return exitHelpOfReads }

func (c *integrationsGetCmd) Run(ctx context.Context, std stdio) error {
	ctx, client, done, err := c.dial(ctx, std, reads)
	if err != nil {
		return err
	}
	defer done()
	resp, err := client.GetIntegration(ctx, &integrationv1.GetIntegrationRequest{IntegrationId: c.IntegrationID})
	if err != nil {
		return fail(std.err, c.Output, reads, err)
	}
	return c.showIntegration(ctx, std, client, resp.GetIntegration())
}
