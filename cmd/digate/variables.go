package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/digate/digate/cmd/digate/internal/client"
)

// variables parses the NAME=TEXT of --var and the NAME=JSON of --var-json. It
// returns nil if there are none. The values may be secrets, so no error quotes
// them, as kong's own parser would.
func variables(texts, jsons []string) (*structpb.Struct, error) {
	if len(texts)+len(jsons) == 0 {
		return nil, nil
	}
	s := &structpb.Struct{Fields: make(map[string]*structpb.Value)}
	set := func(flag, assignment string, parse func(string) (*structpb.Value, error)) error {
		name, value, ok := strings.Cut(assignment, "=")
		if !ok || name == "" {
			return fmt.Errorf("--%s: must be NAME=VALUE", flag)
		}
		if _, twice := s.Fields[name]; twice {
			return fmt.Errorf("--%s: %q is set twice", flag, name)
		}
		v, err := parse(value)
		if err != nil {
			return fmt.Errorf("--%s: %q: %w", flag, name, err)
		}
		s.Fields[name] = v
		return nil
	}
	for _, a := range texts {
		if err := set("var", a, client.TextValue); err != nil {
			return nil, err
		}
	}
	for _, a := range jsons {
		if err := set("var-json", a, client.JSONValue); err != nil {
			return nil, err
		}
	}
	return s, nil
}
