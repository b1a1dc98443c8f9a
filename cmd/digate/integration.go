package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// printIntegration shows an integration: to people without its secrets, as JSON
// whole.
func printIntegration(w io.Writer, output string, in *integrationv1.Integration) error {
	if output == outputJSON {
		codec, err := digajson.Compile(in.ProtoReflect().Descriptor())
		if err != nil {
			return err
		}
		b, err := codec.AppendAnswer(nil, in)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(w, printableJSON(b))
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(tw, "%s\t%s\n", name, printable(value))
	}
	row("id", in.GetId())
	row("name", in.GetName())
	row("description", in.GetDescription())
	row("base_url", in.GetBaseUrl())
	row("integration_type", digajson.EnumText(in.GetIntegrationType()))
	row("auth_type", digajson.EnumText(in.GetAuthType()))
	row("auth_key", map[bool]string{true: "set"}[in.GetAuthKey() != ""])
	row("headers", strings.Join(slices.Sorted(maps.Keys(in.GetHeaders())), ", "))
	row("requires_setup", map[bool]string{true: "yes: a key or a placeholder's value is missing", false: "no"}[in.GetRequiresSetup()])
	row("template", in.GetSourceIntegrationTemplateId())
	if t := in.GetCreatedAt(); t != nil {
		row("created_at", t.AsTime().Format(time.RFC3339Nano))
	}
	return tw.Flush()
}
