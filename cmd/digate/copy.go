package main

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

type copyCmd struct {
	TemplateID string  `arg:"" optional:"" name:"template_id" help:"The template's id, a UUID. Without it, a terminal offers the templates."`
	Language   *string `name:"language" placeholder:"LANG" help:"The language of the templates that a terminal offers, such as en; es by default."`
	Name       *string `name:"name" placeholder:"NAME" help:"Name of the new integration. Default: the template's."`
	BaseURL    *string `name:"base-url" placeholder:"URL" help:"Base URL of the new integration. Default: the template's."`
	APIKeyFile string  `name:"api-key-file" placeholder:"FILE" help:"File with the credential for the third-party system; - is standard input, and a terminal asks for it."`

	variableFlags `embed:""`

	RequestID  *string `name:"request-id" placeholder:"ID" help:"1 to 255 printable ASCII characters, such as a UUID. However often the copy is requested with the same id, it is made at most once."`
	Unresolved string  `name:"unresolved" enum:"allow,refuse," default:"" placeholder:"HOW" help:"What happens if placeholders get no value: allow makes the copy, refuse does not. Default: as the server is set."`
	DryRun     bool    `name:"dry-run" help:"Create nothing. Show what the copy would be."`

	client.CallFlags `embed:""`
}

// Help is shown by --help.
func (copyCmd) Help() string { return client.ExitHelp }

// Validate implements kong's hook.
func (c *copyCmd) Validate() error {
	if err := c.CallFlags.Validate(); err != nil {
		return err
	}
	if c.RequestID != nil && *c.RequestID == "" { // of a script whose variable is not set
		return errors.New("--request-id: is empty, and would protect nothing")
	}
	return c.variableFlags.validate()
}

// AfterApply implements kong's hook.
func (c *copyCmd) AfterApply(std term.IO) error {
	return c.checkPerson(std, c.APIKeyFile, c.TokenFile)
}

func (c *copyCmd) Run(ctx context.Context, std term.IO) error {
	asks := c.TemplateID == ""
	if asks {
		if err := c.choose(ctx, std); err != nil {
			return err
		}
	}
	req, err := c.request(ctx, std)
	if err != nil {
		return err
	}
	if asks && !c.DryRun {
		if err := c.askMissing(ctx, std, req); err != nil {
			return err
		}
	}
	if c.DryRun {
		return c.preview(ctx, std, req)
	}
	does := client.Creates
	if c.RequestID != nil {
		does = client.CreatesOnce
	}
	ctx, service, done, err := c.DialIntegrations(ctx, std, does)
	if err != nil {
		return err
	}
	defer done()
	var trailer metadata.MD
	resp, err := service.CopyTemplate(ctx, req, grpc.Trailer(&trailer))
	if err != nil {
		return client.Fail(std.Err, c.Output, does, err, c.look()...)
	}
	if err := showIntegration(ctx, std, &c.CallFlags, service, resp.GetIntegration(), trailer); err != nil {
		return fmt.Errorf("integration %s was created, but cannot be shown: %w", term.Printable(resp.GetIntegration().GetId()), err)
	}
	return nil
}

// look returns the arguments of the command that shows whether a copy in doubt was made.
func (c *copyCmd) look() []string {
	words := []string{"integrations", "list"}
	if c.RequestID != nil {
		words = []string{"ledger", "show", *c.RequestID}
	}
	return append(words, c.Words()...)
}

// preview shows what the copy would be.
func (c *copyCmd) preview(ctx context.Context, std term.IO, req *integrationv1.CopyTemplateRequest) error {
	ctx, service, done, err := c.DialIntegrations(ctx, std, client.Reads)
	if err != nil {
		return err
	}
	defer done()
	resp, err := service.PreviewCopyTemplate(ctx, previewOf(req))
	if err != nil {
		return client.Fail(std.Err, c.Output, client.Reads, err)
	}
	return showPreview(std.Out, c.Output, resp)
}

// previewOf returns the request for a preview of a copy.
func previewOf(req *integrationv1.CopyTemplateRequest) *integrationv1.PreviewCopyTemplateRequest {
	return &integrationv1.PreviewCopyTemplateRequest{
		TemplateId: req.GetTemplateId(), Name: req.Name, ApiKey: req.ApiKey, BaseUrl: req.BaseUrl, Variables: req.GetVariables(), VariablesJson: req.VariablesJson,
	}
}

func (c *copyCmd) request(ctx context.Context, std term.IO) (*integrationv1.CopyTemplateRequest, error) {
	req := &integrationv1.CopyTemplateRequest{
		TemplateId: c.TemplateID, Name: c.Name, BaseUrl: c.BaseURL, Unresolved: client.Unresolved(c.Unresolved),
	}
	if c.RequestID != nil {
		req.RequestId = *c.RequestID
	}
	if err := c.set(ctx, std, req); err != nil {
		return nil, err
	}
	if c.APIKeyFile != "" {
		key, err := term.ReadSecret(ctx, std, c.APIKeyFile, "API key")
		if err != nil {
			return nil, fmt.Errorf("--api-key-file: %w", err)
		}
		req.ApiKey = &key
	}
	return req, nil
}
