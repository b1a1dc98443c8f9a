package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/digate/digate/cmd/digate/internal/client"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// variableFlags give the placeholders of a template their values, which may be secrets.
type variableFlags struct {
	Var     []string `name:"var" sep:"none" placeholder:"NAME=TEXT" help:"Value of a placeholder, as text. Can be repeated. Everybody on the machine sees it in ps."`
	VarFile []string `name:"var-file" sep:"none" placeholder:"NAME=FILE" help:"File with the value of a placeholder, as text, such as a secret; - is standard input. Can be repeated."`
	VarJSON []string `name:"var-json" sep:"none" placeholder:"NAME=JSON" help:"Value of a placeholder, as JSON. Can be repeated."`
}

// parse returns the assignments of the flags. Those of files have the files' names.
func (f *variableFlags) parse() (texts, files, jsons []assignment, err error) {
	if texts, err = assignments("var", f.Var); err != nil {
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

// validate returns what is wrong with the flags, without a look into the files. The other
// file is one that may be standard input too.
func (f *variableFlags) validate(other string) error {
	texts, files, jsons, err := f.parse()
	if err != nil {
		return err
	}
	if err := checkOneStdin(files, other); err != nil {
		return err
	}
	return setVariables(new(integrationv1.CopyTemplateRequest), texts, jsons)
}

// set puts the values into a copy's request.
func (f *variableFlags) set(req *integrationv1.CopyTemplateRequest, stdin io.Reader) error {
	texts, files, jsons, err := f.parse()
	if err != nil {
		return err
	}
	if err := readFiles(files, stdin); err != nil {
		return err
	}
	return setVariables(req, append(texts, files...), jsons)
}

// setVariables puts the values of placeholders into a copy's request. No error quotes a
// value, as kong's own parser would.
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
