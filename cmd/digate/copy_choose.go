package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// maxChoice is how many templates are offered.
const maxChoice = 100

// choose asks which template to copy.
func (c *copyCmd) choose(ctx context.Context, std term.IO) error {
	if std.CannotAsk() != nil {
		return needsTemplate(std)
	}
	templates, err := c.offered(ctx, std)
	if err != nil {
		return err
	}
	if len(templates) == 0 {
		return errors.New("nothing was copied: there is no template")
	}
	t := term.Table{{"#", "NAME", "LANGUAGE", "DESCRIPTION"}}
	for i, x := range templates {
		t = append(t, []string{strconv.Itoa(i + 1), x.GetName(), x.GetLanguage(), x.GetDescription()})
	}
	if err := t.Write(std.Err, term.Columns(std.Err)); err != nil {
		return err
	}
	reply, err := term.Ask(ctx, std, fmt.Sprintf("Which template? [1-%d] ", len(templates)))
	if err != nil {
		return fmt.Errorf("nothing was copied: %w", err)
	}
	n, err := strconv.Atoi(reply)
	if err != nil || n < 1 || n > len(templates) {
		return errors.New("nothing was copied: no template was chosen")
	}
	c.TemplateID = templates[n-1].GetId()
	return nil
}

// needsTemplate returns the error of a command line without a template, as the parser
// would.
func needsTemplate(std term.IO) error {
	err := client.WrongUsage(std.Err, errors.New("copy needs <template_id>"+sources["template_id"]))
	fmt.Fprintln(std.Err, "Try: digate copy --help")
	return err
}

// offered returns the templates to choose from, in the order of the list.
func (c *copyCmd) offered(ctx context.Context, std term.IO) ([]*integrationv1.IntegrationTemplate, error) {
	ctx, service, done, err := c.DialIntegrations(ctx, std, client.Reads)
	if err != nil {
		return nil, err
	}
	defer done()
	resp, err := service.ListTemplates(ctx, &integrationv1.ListTemplatesRequest{Limit: new(int32(maxChoice)), Language: c.Language})
	if err != nil {
		return nil, client.Fail(std.Err, c.Output, client.Reads, err)
	}
	if resp.GetHasMore() {
		fmt.Fprintf(std.Err, "There are more than %d templates: `digate templates list --all` shows them.\n", maxChoice)
	}
	return resp.GetData(), nil
}
