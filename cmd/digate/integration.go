package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/digajson"
)

// showIntegration writes an integration. Text output is for people: it omits secrets and
// says what the setup still needs. JSON output is the complete integration and nothing
// else. The trailer is that of the response.
func showIntegration(ctx context.Context, std term.IO, c *client.CallFlags, service integrationv1.IntegrationServiceClient, in *integrationv1.Integration, trailer metadata.MD) error {
	if c.Output == client.OutputJSON {
		return client.PrintJSON(std.Out, in)
	}
	if err := term.WriteFields(std.Out, integrationFields(in)); err != nil {
		return err
	}
	if lost := lostFields(in, trailer); lost != nil {
		fmt.Fprintf(std.Err, "digate: the response lacks %s\n  Diga left that out, or the response broke off, or it was too large.\n", term.Printable(strings.Join(lost, ", ")))
		fmt.Fprintf(std.Err, "  -> %s\n", term.Printable(term.ShellLine(append([]string{"integrations", "get", in.GetId()}, c.Words()...)...)))
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

// lostFields returns the fields that a response lacks: those that digate omitted, and
// those that every integration has.
func lostFields(in *integrationv1.Integration, trailer metadata.MD) []string {
	lost := required(in)
	for _, names := range trailer.Get(contract.OmittedKey) {
		for path := range strings.SplitSeq(names, ",") {
			lost = append(lost, strings.TrimPrefix(path, "integration."))
		}
	}
	return lost
}

// required returns the fields that every integration has and this one lacks.
func required(in *integrationv1.Integration) (lacks []string) {
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"name", in.GetName() != ""},
		{"base_url", in.GetBaseUrl() != ""},
		{"integration_type", in.GetIntegrationType() != 0},
		{"auth_type", in.GetAuthType() != 0},
		{"created_at", in.GetCreatedAt() != nil},
	} {
		if !f.has {
			lacks = append(lacks, f.name)
		}
	}
	return lacks
}

func integrationFields(in *integrationv1.Integration) [][2]string {
	needsSetup := setupText(in.GetRequiresSetup())
	if !in.GetRequiresSetup() && required(in) != nil { // the response may lack that too
		needsSetup = "not known"
	}
	fields := [][2]string{
		{"id", in.GetId()},
		{"name", in.GetName()},
		{"description", in.GetDescription()},
		{"base_url", in.GetBaseUrl()},
		{"integration_type", digajson.EnumText(in.GetIntegrationType())},
		{"auth_type", digajson.EnumText(in.GetAuthType())},
		{"auth_key", map[bool]string{true: "set"}[in.GetAuthKey() != ""]},
		{"headers", strings.Join(slices.Sorted(maps.Keys(in.GetHeaders())), ", ")},
		{"requires_setup", needsSetup},
		{"template", in.GetSourceIntegrationTemplateId()},
	}
	if t := in.GetCreatedAt(); t != nil {
		fields = append(fields, [2]string{"created_at", t.AsTime().Format(time.RFC3339Nano)})
	}
	return fields
}
