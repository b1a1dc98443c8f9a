package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

type copyCmd struct {
	TemplateID string            `arg:"" name:"template_id" help:"The template's id, a UUID."`
	Name       *string           `name:"name" help:"Name of the new integration. The template's when not given."`
	BaseURL    *string           `name:"base-url" help:"Base URL of the new integration. The template's when not given."`
	APIKeyFile string            `name:"api-key-file" placeholder:"FILE" help:"File with the credential for the third-party system; - is standard input."`
	Var        map[string]string `name:"var" mapsep:"none" placeholder:"K=V" help:"A placeholder's value, a string. May be given again."`
	VarJSON    map[string]string `name:"var-json" mapsep:"none" placeholder:"K=JSON" help:"A placeholder's value in JSON. May be given again."`
	RequestID  string            `name:"request-id" help:"Identifies the call, 1 to 255 printable ASCII characters."`

	clientFlags `embed:""`
}

// Help is shown by --help.
func (copyCmd) Help() string { return "${exits}" }

func (c *copyCmd) Run(ctx context.Context, std stdio) error {
	req, err := c.request(std.in)
	if err != nil {
		return err
	}
	ctx, conn, done, err := c.connect(ctx)
	if err != nil {
		return c.failed(std, err)
	}
	defer done()
	resp, err := integrationv1.NewIntegrationServiceClient(conn).CopyTemplate(ctx, req)
	if err != nil {
		return fail(std.err, c.Output, err)
	}
	return printIntegration(std.out, c.Output, resp.GetIntegration())
}

// failed tells a server that is not there from what is wrong on this side.
func (c *copyCmd) failed(std stdio, err error) error {
	if errors.As(err, new(errUnreachable)) {
		return fail(std.err, c.Output, err)
	}
	return err
}

func (c *copyCmd) request(stdin io.Reader) (*integrationv1.CopyTemplateRequest, error) {
	req := &integrationv1.CopyTemplateRequest{
		TemplateId: c.TemplateID, Name: c.Name, BaseUrl: c.BaseURL, RequestId: c.RequestID,
	}
	if c.APIKeyFile != "" {
		key, err := readSecret(c.APIKeyFile, stdin)
		if err != nil {
			return nil, fmt.Errorf("--api-key-file: %w", err)
		}
		req.ApiKey = &key
	}
	for k, v := range c.Var {
		setVariable(req, k, structpb.NewStringValue(v))
	}
	for k, text := range c.VarJSON {
		if _, ok := c.Var[k]; ok {
			return nil, fmt.Errorf("--var and --var-json both set %q", k)
		}
		v := new(structpb.Value)
		if err := decodeValue(text, v); err != nil {
			return nil, fmt.Errorf("--var-json %s: %w", k, err)
		}
		setVariable(req, k, v)
	}
	return req, nil
}

func setVariable(req *integrationv1.CopyTemplateRequest, k string, v *structpb.Value) {
	if req.Variables == nil {
		req.Variables = &structpb.Struct{Fields: make(map[string]*structpb.Value)}
	}
	req.Variables.Fields[k] = v
}

// decodeValue reads one JSON value by the contract's own rules: a number that a
// double cannot hold exactly is refused, not rounded.
func decodeValue(text string, v *structpb.Value) error {
	if !json.Valid([]byte(text)) { // so that it cannot end the object it is put into
		return errors.New("must be one JSON value")
	}
	codec, err := digajson.Compile((&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor())
	if err != nil {
		return err
	}
	req := new(integrationv1.CopyTemplateRequest)
	if err := codec.UnmarshalRequest([]byte(`{"variables":{"v":`+text+`}}`), req); err != nil {
		var e *digajson.Error
		if errors.As(err, &e) {
			return errors.New(e.Message)
		}
		return err
	}
	v.Kind = req.GetVariables().GetFields()["v"].GetKind()
	return nil
}

func readSecret(path string, stdin io.Reader) (string, error) {
	r := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, maxSecretFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecretFile {
		return "", fmt.Errorf("is larger than %d bytes", maxSecretFile)
	}
	s := strings.TrimRight(string(b), "\r\n")
	if s == "" {
		return "", errors.New("is empty")
	}
	return s, nil
}

// printIntegration shows an integration: to people without its secrets, as JSON
// whole.
func printIntegration(w io.Writer, output string, in *integrationv1.Integration) error {
	if output == "json" {
		codec, err := digajson.Compile(in.ProtoReflect().Descriptor())
		if err != nil {
			return err
		}
		b, err := codec.AppendAnswer(nil, in)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
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
	names := make([]string, 0, len(in.GetHeaders()))
	for name := range in.GetHeaders() {
		names = append(names, name)
	}
	row("headers", strings.Join(sortedStrings(names), ", "))
	row("requires_setup", map[bool]string{true: "yes: a key or a placeholder's value is missing", false: "no"}[in.GetRequiresSetup()])
	row("template", in.GetSourceIntegrationTemplateId())
	if t := in.GetCreatedAt(); t != nil {
		row("created_at", t.AsTime().Format(time.RFC3339Nano))
	}
	return tw.Flush()
}
