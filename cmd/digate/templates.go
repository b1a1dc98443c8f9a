package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

type templatesCmd struct {
	List templatesListCmd `cmd:"" help:"List the templates of one language."`
	Get  templatesGetCmd  `cmd:"" help:"Show one template, with the placeholders it has."`
}

type templatesListCmd struct {
	Language *string `name:"language" placeholder:"LANG" help:"The templates' language, such as en; es where it is not given."`

	listFlags `embed:""`
}

func (c *templatesListCmd) Run(ctx context.Context, std stdio) error {
	return list(ctx, std, &c.listFlags, c.page, func(p *integrationv1.ListTemplatesResponse) table {
		t := table{{"ID", "NAME", "LANGUAGE", "DESCRIPTION"}}
		for _, x := range p.GetData() {
			t = append(t, []string{x.GetId(), x.GetName(), x.GetLanguage(), x.GetDescription()})
		}
		return t
	})
}

func (c *templatesListCmd) page(ctx context.Context, client integrationv1.IntegrationServiceClient, after *string) (*integrationv1.ListTemplatesResponse, error) {
	return client.ListTemplates(ctx, &integrationv1.ListTemplatesRequest{
		After: after, Before: c.Before, Page: c.Page, Limit: c.limit(), Order: c.order(), Language: c.Language,
	})
}

type templatesGetCmd struct {
	TemplateID string `arg:"" name:"template_id" help:"The template's id, a UUID."`

	callFlags `embed:""`
}

// Help is shown by --help.
func (templatesGetCmd) Help() string { return exitHelpOfReads }

func (c *templatesGetCmd) Run(ctx context.Context, std stdio) error {
	ctx, client, done, err := c.dial(ctx, std, reads)
	if err != nil {
		return err
	}
	defer done()
	resp, err := client.GetTemplate(ctx, &integrationv1.GetTemplateRequest{TemplateId: c.TemplateID})
	if err != nil {
		return fail(std.err, c.Output, reads, err)
	}
	t := resp.GetTemplate()
	if c.Output == outputJSON {
		return printJSON(std.out, t)
	}
	names := make(map[string]bool)
	placeholdersIn(structpb.NewStructValue(t.GetTemplate()), names)
	return printFields(std.out, [][2]string{
		{"id", t.GetId()},
		{"name", t.GetName()},
		{"language", t.GetLanguage()},
		{"description", t.GetDescription()},
		{"setup_guide_url", t.GetSetupGuideUrl()},
		{"placeholders", strings.Join(slices.Sorted(maps.Keys(names)), ", ")},
	})
}
