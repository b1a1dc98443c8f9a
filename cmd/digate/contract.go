package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/contract/surface"
	"github.com/digate/digate/server/contractwatch"
)

type contractCmd struct {
	Diff contractDiffCmd `cmd:"" help:"Compare Diga's published OpenAPI document with the contract of this digate."`
}

// Help is shown by --help.
func (contractCmd) Help() string {
	return `A running digate describes its own REST side as an OpenAPI document:
/openapi.json and /openapi.yaml, which need no credential.
`
}

type contractDiffCmd struct {
	File   string `arg:"" name:"file" optional:"" help:"The OpenAPI document, in JSON; - is standard input."`
	URL    string `name:"url" placeholder:"URL" help:"Where the document is, instead of a file; https://api.diga.io/openapi.json by default. It is read without a credential."`
	FailOn string `name:"fail-on" enum:"breaking,additive,cosmetic,never" default:"breaking" help:"End with code 6 for differences of this class and of graver ones: breaking, additive, cosmetic or never."`
	Output string `name:"output" short:"o" enum:"text,json" default:"text" help:"text, or json."`
}

// Help is shown by --help.
func (contractDiffCmd) Help() string {
	return `Exit codes:

  0  there is no difference of the class that --fail-on names, or of a graver one
  1  the document could not be read
  2  wrong usage
  6  there is such a difference
`
}

// Validate implements kong's hook.
func (c *contractDiffCmd) Validate() error {
	if c.URL == "" {
		return nil
	}
	if c.File != "" {
		return errors.New("give a file or --url, not both")
	}
	if _, err := contractwatch.ParseURL(c.URL); err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	return nil
}

func (c *contractDiffCmd) Run(ctx context.Context, std term.IO) error {
	text, err := c.read(ctx, std)
	if err != nil {
		return err
	}
	findings, err := contractwatch.Compare(text)
	if err != nil {
		return err
	}
	if c.Output == client.OutputJSON {
		err = writeFindingsJSON(std.Out, findings)
	} else {
		err = writeFindings(std.Out, findings)
	}
	if err != nil {
		return err
	}
	for _, f := range findings {
		if c.FailOn != "never" && f.Class.AtLeast(surface.Class(c.FailOn)) {
			return client.ExitError(client.ExitFindings)
		}
	}
	return nil
}

func (c *contractDiffCmd) read(ctx context.Context, std term.IO) ([]byte, error) {
	switch c.File {
	case "":
		source := contractwatch.Source{URL: c.URL, UserAgent: "digate/" + version()}
		if source.URL == "" {
			source.URL = contractwatch.DefaultURL
		}
		return source.Read(ctx)
	case "-":
		text, err := contractwatch.ReadAll(std.Input(ctx, "the OpenAPI document, in JSON"))
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		return text, err
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := contractwatch.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File, err)
	}
	return text, nil
}

// writeFindings writes two lines for each finding: what changed, and where.
func writeFindings(w io.Writer, findings []surface.Finding) error {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%-8s  %s\n", f.Class, term.Printable(f.Subject+": "+f.Text))
		var places []string
		for _, p := range f.Places {
			places = append(places, p.String())
		}
		if len(places) > 0 {
			fmt.Fprintf(&b, "%-8s  in %s\n", "", term.Printable(strings.Join(places, ", ")))
		}
	}
	n := surface.Count(findings)
	fmt.Fprintf(&b, "%d breaking, %d additive, %d cosmetic\n", n[surface.Breaking], n[surface.Additive], n[surface.Cosmetic])
	_, err := io.WriteString(w, b.String())
	return err
}

func writeFindingsJSON(w io.Writer, findings []surface.Finding) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if findings == nil {
		findings = []surface.Finding{}
	}
	if err := enc.Encode(struct {
		Count    map[surface.Class]int `json:"count"`
		Findings []surface.Finding     `json:"findings"`
	}{surface.Count(findings), findings}); err != nil {
		return err
	}
	_, err := io.WriteString(w, term.PrintableJSON(b.Bytes()))
	return err
}
