package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

type integrationsUpdateCmd struct {
	IntegrationID string   `arg:"" name:"integration_id" help:"The integration's id, a UUID."`
	Name          *string  `name:"name" placeholder:"NAME" help:"The new name."`
	Description   *string  `name:"description" placeholder:"TEXT" help:"The new description."`
	BaseURL       *string  `name:"base-url" placeholder:"URL" help:"The new base URL."`
	AuthKeyFile   string   `name:"auth-key-file" placeholder:"FILE" help:"File with the new credential for the third-party system; - is standard input, and a terminal asks for it."`
	Header        []string `name:"header" sep:"none" placeholder:"NAME=VALUE" help:"A header. Can be repeated. The headers given here replace all that were there before. Everybody on the machine sees it in ps. NAME alone: a terminal asks, and does not show what is typed."`
	HeaderFile    []string `name:"header-file" sep:"none" placeholder:"NAME=FILE" help:"File with the value of a header, such as a secret; - is standard input, and a terminal asks for it. Can be repeated, and goes with --header."`
	Clear         []string `name:"clear" enum:"name,description,base_url,auth_key,headers" placeholder:"FIELD" help:"Fields to clear: name, description, base_url, auth_key, headers."`

	client.CallFlags `embed:""`
}

// Help is shown by --help.
func (integrationsUpdateCmd) Help() string {
	return "Fields that are not named stay as they are.\n\n" + client.ExitHelp
}

// Validate implements kong's hook.
func (c *integrationsUpdateCmd) Validate() error {
	if err := c.CallFlags.Validate(); err != nil {
		return err
	}
	if _, _, err := c.headers(); err != nil {
		return err
	}
	set := c.fields()
	for _, field := range c.Clear {
		if slices.Contains(set, field) {
			return fmt.Errorf("--clear: %s is also set", field)
		}
	}
	if len(set)+len(c.Clear) == 0 && c.IntegrationID != "" { // whose lack is told first
		return errors.New("nothing to change: give at least one field")
	}
	return nil
}

// AfterApply implements kong's hook.
func (c *integrationsUpdateCmd) AfterApply(std term.IO) error {
	texts, files, err := c.headers()
	if err != nil {
		return err
	}
	if err := canAsk(std, texts); err != nil {
		return err
	}
	return checkOneStdin(std, files, c.AuthKeyFile, c.TokenFile)
}

// fields returns the names of the fields to set.
func (c *integrationsUpdateCmd) fields() []string {
	var set []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"name", c.Name != nil}, {"description", c.Description != nil}, {"base_url", c.BaseURL != nil},
		{"auth_key", c.AuthKeyFile != ""}, {"headers", len(c.Header)+len(c.HeaderFile) > 0},
	} {
		if f.set {
			set = append(set, f.name)
		}
	}
	return set
}

// headers returns the assignments of --header, and those of --header-file with the names
// of the files.
func (c *integrationsUpdateCmd) headers() (texts, files []assignment, err error) {
	if texts, err = assignmentsOrNames("header", c.Header); err != nil {
		return nil, nil, err
	}
	if files, err = assignments("header-file", c.HeaderFile); err != nil {
		return nil, nil, err
	}
	return texts, files, checkUnique(slices.Concat(texts, files)...)
}

func (c *integrationsUpdateCmd) request(ctx context.Context, std term.IO) (*integrationv1.UpdateIntegrationRequest, error) {
	texts, files, err := c.headers()
	if err != nil {
		return nil, err
	}
	if err := askValues(ctx, std, "Header", texts); err != nil {
		return nil, err
	}
	if err := readFiles(ctx, std, "Header", files); err != nil {
		return nil, err
	}
	set := make(map[string]string)
	for _, h := range append(texts, files...) {
		set[h.name] = h.value
	}
	mask := append(c.fields(), c.Clear...)
	slices.Sort(mask)
	req := &integrationv1.UpdateIntegrationRequest{
		IntegrationId: c.IntegrationID, Name: c.Name, Description: c.Description, BaseUrl: c.BaseURL, Headers: set,
		UpdateMask: &fieldmaskpb.FieldMask{Paths: slices.Compact(mask)},
	}
	if c.AuthKeyFile != "" {
		key, err := term.ReadSecret(ctx, std, c.AuthKeyFile, "Credential")
		if err != nil {
			return nil, fmt.Errorf("--auth-key-file: %w", err)
		}
		req.AuthKey = &key
	}
	return req, nil
}

func (c *integrationsUpdateCmd) Run(ctx context.Context, std term.IO) error {
	req, err := c.request(ctx, std)
	if err != nil {
		return err
	}
	ctx, service, done, err := c.DialIntegrations(ctx, std, client.Changes)
	if err != nil {
		return err
	}
	defer done()
	var trailer metadata.MD
	resp, err := service.UpdateIntegration(ctx, req, grpc.Trailer(&trailer))
	if err != nil {
		return client.Fail(std.Err, c.Output, client.Changes, err, append([]string{"integrations", "get", c.IntegrationID}, c.Words()...)...)
	}
	if err := showIntegration(ctx, std, &c.CallFlags, service, resp.GetIntegration(), trailer); err != nil {
		return fmt.Errorf("integration %s was changed, but cannot be shown: %w", term.Printable(c.IntegrationID), err)
	}
	return nil
}
