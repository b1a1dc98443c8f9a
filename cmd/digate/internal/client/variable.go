package client

import (
	"encoding/json"
	"errors"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// Variable is the value of a template's placeholder.
type Variable struct {
	value *structpb.Value // nil for one that a Value does not hold
	json  string          // of such a one
}

// TextVariable returns a value that was given as text.
func TextVariable(text string) (Variable, error) {
	return Variable{value: structpb.NewStringValue(text)}, nil
}

// JSONVariable parses a value that was given as JSON. It follows the contract's rules,
// and keeps every digit of a number. The value may be a secret, so no error quotes it.
func JSONVariable(text string) (Variable, error) {
	if !json.Valid([]byte(text)) { // else it could close the object around it
		return Variable{}, errors.New("must be one JSON value")
	}
	req := new(integrationv1.CopyTemplateRequest)
	codec, err := digajson.Compile(req.ProtoReflect().Descriptor())
	if err != nil {
		return Variable{}, err
	}
	if err := codec.UnmarshalRequest([]byte(`{"variables":{"v":`+text+`}}`), req); err != nil {
		if e, ok := errors.AsType[*digajson.Error](err); ok {
			return Variable{}, errors.New(e.Message)
		}
		return Variable{}, err
	}
	return Variable{value: req.GetVariables().GetFields()["v"], json: strings.TrimSpace(text)}, nil
}

// HasVariable reports whether a copy's request has a value for a placeholder.
func HasVariable(req *integrationv1.CopyTemplateRequest, name string) bool {
	if req.VariablesJson == nil {
		return req.GetVariables().GetFields()[name] != nil
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal([]byte(req.GetVariablesJson()), &members)
	return members[name] != nil
}

// SetVariable gives a placeholder, which has no value yet, its value in a copy's
// request. The variables become JSON with the first value that a Struct does not hold.
func SetVariable(req *integrationv1.CopyTemplateRequest, name string, v Variable) error {
	if v.value != nil && req.VariablesJson == nil {
		if req.Variables == nil {
			req.Variables = &structpb.Struct{Fields: make(map[string]*structpb.Value)}
		}
		req.Variables.Fields[name] = v.value
		return nil
	}
	object := req.GetVariablesJson()
	var err error
	if req.VariablesJson == nil {
		if object, err = jsonOf(req.GetVariables()); err != nil {
			return err
		}
	}
	member, err := v.member(name)
	if err != nil {
		return err
	}
	if inner := inside(object); inner != "" {
		member = inner + "," + member
	}
	req.Variables, req.VariablesJson = nil, new("{"+member+"}")
	return nil
}

// member returns the value as a member of a JSON object.
func (v Variable) member(name string) (string, error) {
	if v.value != nil {
		object, err := jsonOf(&structpb.Struct{Fields: map[string]*structpb.Value{name: v.value}})
		return inside(object), err
	}
	key, err := json.Marshal(name)
	return string(key) + ":" + v.json, err
}

// inside returns what is between the braces of an object.
func inside(object string) string {
	object = strings.TrimSpace(object)
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(object, "{"), "}"))
}

// jsonOf returns the JSON of variables.
func jsonOf(s *structpb.Struct) (string, error) {
	if s == nil {
		return "{}", nil
	}
	req := &integrationv1.CopyTemplateRequest{Variables: s}
	codec, err := digajson.Compile(req.ProtoReflect().Descriptor())
	if err != nil {
		return "", err
	}
	whole, err := codec.AppendRequest(nil, req)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(whole), `{"variables":`), "}"), nil
}
