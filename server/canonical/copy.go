// Package canonical converts requests to a canonical form, which is the same for all
// requests that mean the same. Request ids compare requests in this form. Diga gets the
// original request.
package canonical

import (
	"math"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// Copy returns the canonical form of a copy request, without its request id. In it, the
// template's id is in lower case, empty variables are unset, -0 is 0, and variables_json
// is converted to variables if a Struct can represent it. Texts are not changed:
// different texts are different names, keys or URLs. The result shares unchanged parts
// with req.
func Copy(req *integrationv1.CopyTemplateRequest) *integrationv1.CopyTemplateRequest {
	c := &integrationv1.CopyTemplateRequest{
		TemplateId: strings.ToLower(req.GetTemplateId()), Name: req.Name, ApiKey: req.ApiKey, BaseUrl: req.BaseUrl,
	}
	switch {
	case req.VariablesJson != nil:
		v, json := digajson.Canonical(req.GetVariablesJson())
		switch {
		case json != "":
			c.VariablesJson = &json
		case v == nil:
			c.VariablesJson = req.VariablesJson // not valid JSON
		case len(v.GetStructValue().GetFields()) > 0:
			c.Variables = v.GetStructValue()
		}
	case len(req.GetVariables().GetFields()) == 0:
	case hasNegativeZero(req.Variables):
		c.Variables = proto.CloneOf(req.Variables)
		clearNegativeZeros(c.Variables)
	default:
		c.Variables = req.Variables
	}
	return c
}

// Integration returns the canonical form of a request for a new integration, without its
// request id and fields unknown to the contract. Neither is sent to Diga.
func Integration(req *integrationv1.CreateIntegrationRequest) *integrationv1.CreateIntegrationRequest {
	c := proto.CloneOf(req)
	c.RequestId = ""
	dropUnknown(c.ProtoReflect())
	return c
}

// Tool returns the canonical form of a request for a new tool, without its request id and
// fields unknown to the contract. In it, the integration's id is in lower case, -0 is 0,
// and fixed_value_json is converted to fixed_value if a Value can represent it.
func Tool(req *integrationv1.CreateToolRequest) *integrationv1.CreateToolRequest {
	c := proto.CloneOf(req)
	c.RequestId = ""
	dropUnknown(c.ProtoReflect())
	c.IntegrationId = strings.ToLower(c.GetIntegrationId())
	for _, param := range c.GetQuery() {
		fixedValue(&param.FixedValue, &param.FixedValueJson)
	}
	fixedValuesOf(c.GetBody())
	return c
}

// dropUnknown removes the unknown fields of a message and of all messages in it.
func dropUnknown(m protoreflect.Message) {
	m.SetUnknown(nil)
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsMap():
			value.Map().Range(func(_ protoreflect.MapKey, of protoreflect.Value) bool {
				if field.MapValue().Message() != nil {
					dropUnknown(of.Message())
				}
				return true
			})
		case field.IsList():
			for i := range value.List().Len() {
				dropUnknown(value.List().Get(i).Message())
			}
		default:
			dropUnknown(value.Message())
		}
		return true
	})
}

func fixedValuesOf(params []*integrationv1.BodyParam) {
	for _, param := range params {
		fixedValue(&param.FixedValue, &param.FixedValueJson)
		fixedValuesOf(param.GetProperties())
	}
}

// fixedValue converts a fixed value to its canonical form. Only one of v and json is set.
func fixedValue(v **structpb.Value, json **string) {
	if *json == nil {
		clearNegativeZerosIn(*v)
		return
	}
	held, canonical := digajson.Canonical(**json)
	switch {
	case held != nil:
		*v, *json = held, nil
	case canonical != "":
		*json = &canonical
	}
}

func hasNegativeZero(s *structpb.Struct) bool {
	found := false
	eachNumber(s, func(n *structpb.Value_NumberValue) { found = found || isNegativeZero(n) })
	return found
}

func clearNegativeZeros(s *structpb.Struct) { eachNumber(s, clearNegativeZero) }

func clearNegativeZerosIn(v *structpb.Value) { eachNumberIn(v, clearNegativeZero) }

func clearNegativeZero(n *structpb.Value_NumberValue) {
	if isNegativeZero(n) {
		n.NumberValue = 0
	}
}

func isNegativeZero(n *structpb.Value_NumberValue) bool {
	return n.NumberValue == 0 && math.Signbit(n.NumberValue)
}

// eachNumber calls f for every number in a Struct.
func eachNumber(s *structpb.Struct, f func(*structpb.Value_NumberValue)) {
	for _, v := range s.GetFields() {
		eachNumberIn(v, f)
	}
}

func eachNumberIn(v *structpb.Value, f func(*structpb.Value_NumberValue)) {
	switch k := v.GetKind().(type) {
	case *structpb.Value_NumberValue:
		f(k)
	case *structpb.Value_StructValue:
		eachNumber(k.StructValue, f)
	case *structpb.Value_ListValue:
		for _, v := range k.ListValue.GetValues() {
			eachNumberIn(v, f)
		}
	}
}
