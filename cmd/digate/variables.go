package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// variables returns what the NAME=TEXT of --var and the NAME=JSON of --var-json
// set, nil for nothing. The values may be secrets, so no error quotes them;
// kong's own would.
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
		if err := set("var", a, textValue); err != nil {
			return nil, err
		}
	}
	for _, a := range jsons {
		if err := set("var-json", a, jsonValue); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func textValue(text string) (*structpb.Value, error) {
	return structpb.NewStringValue(text), nil
}

// jsonValue reads one JSON value by the contract's own rules: a number that a
// double cannot hold exactly is refused, not rounded.
func jsonValue(text string) (*structpb.Value, error) {
	if !json.Valid([]byte(text)) { // so that it cannot end the object it is put into
		return nil, errors.New("must be one JSON value")
	}
	req := new(integrationv1.CopyTemplateRequest)
	codec, err := digajson.Compile(req.ProtoReflect().Descriptor())
	if err != nil {
		return nil, err
	}
	if err := codec.UnmarshalRequest([]byte(`{"variables":{"v":`+text+`}}`), req); err != nil {
		if e, ok := errors.AsType[*digajson.Error](err); ok {
			return nil, errors.New(e.Message)
		}
		return nil, err
	}
	return req.GetVariables().GetFields()["v"], nil
}
