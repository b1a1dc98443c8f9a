package client

import (
	"encoding/json"
	"errors"

	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// TextValue returns the value of a template's placeholder that was given as
// text.
func TextValue(text string) (*structpb.Value, error) {
	return structpb.NewStringValue(text), nil
}

// JSONValue parses the value of a template's placeholder that was given as JSON.
// It follows the contract's rules: a number that a double cannot hold exactly is
// refused and not rounded. The value may be a secret, so no error quotes it.
func JSONValue(text string) (*structpb.Value, error) {
	if !json.Valid([]byte(text)) { // else it could close the object around it
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
