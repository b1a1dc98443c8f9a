package main

import (
	"context"
	"fmt"
	"io"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

type copyCmd struct {
	TemplateID string   `arg:"" name:"template_id" help:"The template's id, a UUID."`
	Name       *string  `name:"name" placeholder:"NAME" help:"Name of the new integration; else the template's."`
	BaseURL    *string  `name:"base-url" placeholder:"URL" help:"Base URL of the new integration; else the template's."`
	APIKeyFile string   `name:"api-key-file" placeholder:"FILE" help:"File with the credential for the third-party system; - is standard input."`
	Var        []string `name:"var" sep:"none" placeholder:"NAME=TEXT" help:"A placeholder's value, as text. May be given again."`
	VarJSON    []string `name:"var-json" sep:"none" placeholder:"NAME=JSON" help:"A placeholder's value, as JSON. May be given again."`
	RequestID  string   `name:"request-id" placeholder:"ID" help:"1 to 255 printable ASCII characters, such as a UUID. The copy is then made at most once, however often it is asked for under the id."`

	callFlags `embed:""`
}

// Help is shown by --help.
func (copyCmd) Help() string { return exitHelp }

// Validate implements kong's hook.
func (c *copyCmd) Validate() error {
	if err := c.clientFlags.Validate(); err != nil {
		return err
	}
	_, err := variables(c.Var, c.VarJSON)
	return err
}

func (c *copyCmd) Run(ctx context.Context, std stdio) error {
	req, err := c.request(std.in)
	if err != nil {
		return err
	}
	does := creates
	if c.RequestID != "" {
		does = createsOnce
	}
	ctx, client, done, err := c.dial(ctx, std, does)
	if err != nil {
		return err
	}
	defer done()
	resp, err := client.CopyTemplate(ctx, req)
	if err != nil {
		return fail(std.err, c.Output, does, err)
	}
	if err := c.showIntegration(ctx, std, client, resp.GetIntegration()); err != nil {
		return fmt.Errorf("integration %s was created, but not shown: %w", printable(resp.GetIntegration().GetId()), err)
	}
	return nil
}

func (c *copyCmd) request(stdin io.Reader) (*integrationv1.CopyTemplateRequest, error) {
	vars, err := variables(c.Var, c.VarJSON)
	if err != nil {
		return nil, err
	}
	req := &integrationv1.CopyTemplateRequest{
		TemplateId: c.TemplateID, Name: c.Name, BaseUrl: c.BaseURL, Variables: vars, RequestId: c.RequestID,
	}
	if c.APIKeyFile != "" {
		key, err := readSecret(c.APIKeyFile, stdin)
		if err != nil {
			return nil, fmt.Errorf("--api-key-file: %w", err)
		}
		req.ApiKey = &key
	}
	return req, nil
}
