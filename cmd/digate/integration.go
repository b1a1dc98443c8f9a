package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// showIntegration shows an integration: to people without its secrets and with
// what its setup still misses, as JSON whole and alone.
func (c *callFlags) showIntegration(ctx context.Context, std stdio, client integrationv1.IntegrationServiceClient, in *integrationv1.Integration) error {
	if c.Output == outputJSON {
		return printJSON(std.out, in)
	}
	if err := printFields(std.out, integrationFields(in)); err != nil {
		return err
	}
	if !in.GetRequiresSetup() {
		return nil
	}
	s := setup{ctx: ctx, client: client, integration: in, flags: c.clientFlags.words()}
	s.find()
	for _, line := range s.lines {
		if _, err := fmt.Fprintln(std.out, printable(line)); err != nil {
			return err
		}
	}
	for _, trouble := range s.troubles {
		fmt.Fprintf(std.err, "digate: %s\n", printable(trouble))
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
		{"requires_setup", map[bool]string{true: "yes: a key or a placeholder's value is missing", false: "no"}[in.GetRequiresSetup()]},
		{"template", in.GetSourceIntegrationTemplateId()},
	}
	if t := in.GetCreatedAt(); t != nil {
		fields = append(fields, [2]string{"created_at", t.AsTime().Format(time.RFC3339Nano)})
	}
	return fields
}
