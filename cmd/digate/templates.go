package main

import (
	"context"
	"encoding/csv"
	"io"
	"strings"

	"google.golang.org/grpc"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/preview"
)

type templatesCmd struct {
	List templatesListCmd `cmd:"" help:"List the templates of one language."`
	Get  templatesGetCmd  `cmd:"" help:"Show one template, with the placeholders it has."`
}

type templatesListCmd struct {
	Language *string `name:"language" placeholder:"LANG" help:"The templates' language, such as en; es by default."`

	listFlags `embed:""`
}

func (c *templatesListCmd) Run(ctx context.Context, std term.IO) error {
	return c.list().show(ctx, std)
}

func (c *templatesListCmd) list() list[*integrationv1.ListTemplatesResponse] {
	return list[*integrationv1.ListTemplatesResponse]{&c.listFlags, c.page, c.every, func(p *integrationv1.ListTemplatesResponse) term.Table {
		t := term.Table{{"ID", "NAME", "LANGUAGE", "DESCRIPTION"}}
		for _, x := range p.GetData() {
			t = append(t, []string{x.GetId(), x.GetName(), x.GetLanguage(), x.GetDescription()})
		}
		return t
	}}
}

func (c *templatesListCmd) page(ctx context.Context, client integrationv1.IntegrationServiceClient, after *string) (*integrationv1.ListTemplatesResponse, error) {
	return client.ListTemplates(ctx, &integrationv1.ListTemplatesRequest{
		After: after, Before: c.Before, Page: c.Page, Limit: c.Limit, Order: c.order(), Language: c.Language,
	})
}

func (c *templatesListCmd) every(ctx context.Context, client integrationv1.IntegrationServiceClient, after *string, most *int32) (*integrationv1.ListTemplatesResponse, error) {
	whole := new(integrationv1.ListTemplatesResponse)
	return gather(whole, after, func(after *string) (grpc.ServerStreamingClient[integrationv1.StreamTemplatesResponse], error) {
		return client.StreamTemplates(ctx, &integrationv1.StreamTemplatesRequest{After: after, MaxItems: most, Order: c.order(), Language: c.Language})
	}, func(m *integrationv1.StreamTemplatesResponse) string {
		whole.Data = append(whole.Data, m.GetTemplate())
		return m.GetTemplate().GetId()
	})
}

type templatesGetCmd struct {
	TemplateID string `arg:"" name:"template_id" help:"The template's id, a UUID."`
	CSV        bool   `name:"csv" help:"Print the header row of a CSV file for digate bulk, with a column for each placeholder."`

	client.CallFlags `embed:""`
}

// Help is shown by --help.
func (templatesGetCmd) Help() string { return client.ExitHelpOfReads }

func (c *templatesGetCmd) Run(ctx context.Context, std term.IO) error {
	ctx, service, done, err := c.DialIntegrations(ctx, std, client.Reads)
	if err != nil {
		return err
	}
	defer done()
	resp, err := service.GetTemplate(ctx, &integrationv1.GetTemplateRequest{TemplateId: c.TemplateID})
	if err != nil {
		return client.Fail(std.Err, c.Output, client.Reads, err)
	}
	t := resp.GetTemplate()
	if c.Output == client.OutputJSON {
		return client.PrintJSON(std.Out, t)
	}
	names := preview.Names(t)
	if c.CSV {
		return writeCSVHeader(std.Out, names)
	}
	return term.WriteFields(std.Out, [][2]string{
		{"id", t.GetId()},
		{"name", t.GetName()},
		{"language", t.GetLanguage()},
		{"description", t.GetDescription()},
		{"setup_guide_url", t.GetSetupGuideUrl()},
		{"placeholders", strings.Join(names, ", ")},
	})
}

// writeCSVHeader writes the header row of a file for digate bulk.
func writeCSVHeader(w io.Writer, placeholders []string) error {
	columns := []string{"template_id", "name", "base_url", "api_key_env"}
	for _, name := range placeholders {
		columns = append(columns, "var."+name)
	}
	out := csv.NewWriter(w)
	_ = out.Write(columns) // reported by Error
	out.Flush()
	return out.Error()
}
