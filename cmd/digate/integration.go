package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// showIntegration writes an integration. Text is for people: it leaves secrets
// out and says what the setup still needs. JSON is the complete integration and
// nothing else.
func showIntegration(ctx context.Context, std term.IO, c *client.CallFlags, service integrationv1.IntegrationServiceClient, in *integrationv1.Integration) error {
	if c.Output == client.OutputJSON {
		return client.PrintJSON(std.Out, in)
	}
	if err := term.WriteFields(std.Out, integrationFields(in)); err != nil {
		return err
	}
	if !in.GetRequiresSetup() {
		return nil
	}
	s := setup{ctx: ctx, client: service, integration: in, flags: c.Words()}
	s.find()
	for _, line := range s.lines {
		if _, err := fmt.Fprintln(std.Out, term.Printable(line)); err != nil {
			return err
		}
	}
	for _, trouble := range s.troubles {
		fmt.Fprintf(std.Err, "digate: %s\n", term.Printable(trouble))
	}
	return nil
}

func integrationFields(in *integrationv1.Integration) [][2]string {
	fields := [][2]string{
		{"id", in.GetId()},
		{"name", in.GetName()},
		{"description", in.GetDescription()},
		{"base_url", in.GetBaseUrl()},
		{"integration_type", digajson.EnumText(in.GetIntegrationType())},
		{"auth_type", digajson.EnumText(in.GetAuthType())},
		{"auth_key", map[bool]string{true: "set"}[in.GetAuthKey() != ""]},
		{"headers", strings.Join(slices.Sorted(maps.Keys(in.GetHeaders())), ", ")},
		{"requires_setup", setupText(in.GetRequiresSetup())},
		{"template", in.GetSourceIntegrationTemplateId()},
	}
	if t := in.GetCreatedAt(); t != nil {
		fields = append(fields, [2]string{"created_at", t.AsTime().Format(time.RFC3339Nano)})
	}
	return fields
}
