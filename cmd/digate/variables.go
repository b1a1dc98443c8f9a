package main

import (
	"fmt"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/client"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// setVariables puts the NAME=TEXT of --var and the NAME=JSON of --var-json into a copy's
// request. The values may be secrets, so no error quotes them, as kong's own parser
// would.
func setVariables(req *integrationv1.CopyTemplateRequest, texts, jsons []string) error {
	set := func(flag, assignment string, parse func(string) (client.Variable, error)) error {
		name, value, ok := strings.Cut(assignment, "=")
		if !ok || name == "" {
			return fmt.Errorf("--%s: must be NAME=VALUE", flag)
		}
		if client.HasVariable(req, name) {
			return fmt.Errorf("--%s: %q is set twice", flag, name)
		}
		v, err := parse(value)
		if err == nil {
			err = client.SetVariable(req, name, v)
		}
		if err != nil {
			return fmt.Errorf("--%s: %q: %w", flag, name, err)
		}
		return nil
	}
	for _, a := range texts {
		if err := set("var", a, client.TextVariable); err != nil {
			return err
		}
	}
	for _, a := range jsons {
		if err := set("var-json", a, client.JSONVariable); err != nil {
			return err
		}
	}
	return nil
}
