package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// variableFlags set the values of a template's placeholders, which may be secrets.
type variableFlags struct {
	Var     []string `name:"var" sep:"none" placeholder:"NAME=TEXT" help:"Value of a placeholder, as text. Can be repeated. Everybody on the machine sees it in ps. NAME alone: a terminal asks, and does not show what is typed."`
	VarFile []string `name:"var-file" sep:"none" placeholder:"NAME=FILE" help:"File with the value of a placeholder, as text, such as a secret; - is standard input, and a terminal asks for it. Can be repeated."`
	VarJSON []string `name:"var-json" sep:"none" placeholder:"NAME=JSON" help:"Value of a placeholder, as JSON. Can be repeated."`
}

// parse returns the assignments of the flags. Those of files have the names of the files.
func (f *variableFlags) parse() (texts, files, jsons []assignment, err error) {
	if texts, err = assignmentsOrNames("var", f.Var); err != nil {
		return nil, nil, nil, err
	}
	if files, err = assignments("var-file", f.VarFile); err != nil {
		return nil, nil, nil, err
	}
	if jsons, err = assignments("var-json", f.VarJSON); err != nil {
		return nil, nil, nil, err
	}
	return texts, files, jsons, checkUnique(slices.Concat(texts, files, jsons)...)
}

// checkPerson returns an error if the flags cannot be used with the standard streams.
// others are further files that may be standard input.
func (f *variableFlags) checkPerson(std term.IO, others ...string) error {
	texts, files, _, err := f.parse()
	if err != nil {
		return err
	}
	if err := canAsk(std, texts); err != nil {
		return err
	}
	return checkOneStdin(std, files, others...)
}

// validate returns an error if the flags are invalid. It does not read the files.
func (f *variableFlags) validate() error {
	texts, _, jsons, err := f.parse()
	if err != nil {
		return err
	}
	return setVariables(new(integrationv1.CopyTemplateRequest), texts, jsons)
}

// set sets the values in the request of a copy.
func (f *variableFlags) set(ctx context.Context, std term.IO, req *integrationv1.CopyTemplateRequest) error {
	texts, files, jsons, err := f.parse()
	if err != nil {
		return err
	}
	if err := askValues(ctx, std, "Value of", texts); err != nil {
		return err
	}
	if err := readFiles(ctx, std, "Value of", files); err != nil {
		return err
	}
	return setVariables(req, append(texts, files...), jsons)
}

// setVariables sets the values of placeholders in the request of a copy. Unlike kong's
// parser, its errors quote no value.
func setVariables(req *integrationv1.CopyTemplateRequest, texts, jsons []assignment) error {
	set := func(a assignment, parse func(string) (client.Variable, error)) error {
		v, err := parse(a.value)
		if err == nil {
			err = client.SetVariable(req, a.name, v)
		}
		if err != nil {
			return fmt.Errorf("--%s: %q: %w", a.flag, a.name, err)
		}
		return nil
	}
	for _, a := range texts {
		if err := set(a, client.TextVariable); err != nil {
			return err
		}
	}
	for _, a := range jsons {
		if err := set(a, client.JSONVariable); err != nil {
			return err
		}
	}
	return nil
}
