package main

import (
	"context"
	"fmt"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

type integrationsDeleteCmd struct {
	IntegrationID string `arg:"" name:"integration_id" help:"The integration's id, a UUID."`
	Yes           bool   `name:"yes" short:"y" help:"Do not ask."`

	client.CallFlags `embed:""`
}

// Help is shown by --help.
func (integrationsDeleteCmd) Help() string {
	return "On a terminal, it asks before it deletes; elsewhere it needs --yes. An integration that does not exist any more is REJECTED, with NOT_FOUND.\n\n" + client.ExitHelp
}

func (c *integrationsDeleteCmd) Run(ctx context.Context, std term.IO) error {
	if !c.Yes {
		if err := std.CannotAsk(); err != nil {
			return client.WrongUsage(std.Err, fmt.Errorf("%w; --yes deletes without asking", err))
		}
		if err := c.confirm(ctx, std); err != nil {
			return err
		}
	}
	ctx, service, done, err := c.DialIntegrations(ctx, std, client.Changes)
	if err != nil {
		return err
	}
	defer done()
	resp, err := service.DeleteIntegration(ctx, &integrationv1.DeleteIntegrationRequest{IntegrationId: c.IntegrationID})
	if err != nil {
		return client.Fail(std.Err, c.Output, client.Changes, err, append([]string{"integrations", "get", c.IntegrationID}, c.Words()...)...)
	}
	if c.Output == client.OutputJSON {
		return client.PrintJSON(std.Out, resp)
	}
	_, err = fmt.Fprintf(std.Out, "integration %s was deleted\n", term.Printable(c.IntegrationID))
	return err
}

// confirm shows the name of the integration and asks whether to delete it.
func (c *integrationsDeleteCmd) confirm(ctx context.Context, std term.IO) error {
	name, err := c.lookUp(ctx, std)
	if err != nil {
		return err
	}
	return term.Confirm(ctx, std, fmt.Sprintf("Delete the integration %s (%s) with its tools, for good?", name, c.IntegrationID), "nothing was deleted")
}

// lookUp returns the integration's name. It uses a connection of its own, so that
// --timeout does not run while the person decides.
func (c *integrationsDeleteCmd) lookUp(ctx context.Context, std term.IO) (string, error) {
	ctx, service, done, err := c.DialIntegrations(ctx, std, client.Reads)
	if err != nil {
		return "", err
	}
	defer done()
	resp, err := service.GetIntegration(ctx, &integrationv1.GetIntegrationRequest{IntegrationId: c.IntegrationID})
	if err != nil {
		return "", client.Fail(std.Err, c.Output, client.Reads, err)
	}
	return resp.GetIntegration().GetName(), nil
}
