package canonical_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/canonical"
	"github.com/digate/digate/server/digajson"
)

const templateID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

// read returns the request that a REST caller's body makes.
func read(t *testing.T, templateID, body string) *integrationv1.CopyTemplateRequest {
	t.Helper()
	req := new(integrationv1.CopyTemplateRequest)
	codec, err := digajson.Compile(req.ProtoReflect().Descriptor(), digajson.Exclude("template_id"))
	if err == nil {
		err = codec.UnmarshalRequest([]byte(body), req)
	}
	if err != nil {
		t.Fatal(err)
	}
	req.TemplateId = templateID
	return req
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCopy_SpellingsOfOneValue_AreOne(t *testing.T) {
	t.Parallel()
	for body, others := range map[string][]string{
		`{}`: {`{"variables":{}}`, `{"variables":null}`, `{"name":null,"api_key":null,"unknown":1}`},
		`{"variables":{"a":[0,{"b":0}],"c":1,"d":100,"e":"é"}}`: {
			`{"variables":{"a":[-0,{"b":-0.0}],"c":1.0,"d":1e2,"e":"\u00e9"}}`, `{"variables":{"e":"é","d":1E+2,"c":10e-1,"a":[0.0,{"b":-0e5}]}}`,
		},
		`{"variables":{"a":0.12345678901234568}}`: {`{"variables":{"a":0.1234567890123456789}}`},
		`{"variables":{"a":9007199254740994}}`:    {`{"variables":{"a":9007199254740994.0}}`, `{"variables":{"a":9.007199254740994e15}}`},
	} {
		one := read(t, templateID, body)
		want := marshal(t, canonical.Copy(one))
		if !bytes.Equal(want, marshal(t, one)) {
			t.Errorf("%s is changed", body)
		}
		for _, other := range others {
			req := read(t, strings.ToUpper(templateID), other)
			before := marshal(t, req) // which tells -0 from 0
			if got := marshal(t, canonical.Copy(req)); !bytes.Equal(got, want) {
				t.Errorf("%s is not %s", other, body)
			}
			if !bytes.Equal(before, marshal(t, req)) {
				t.Errorf("%s: the request itself was changed", other)
			}
		}
	}
}

// Variables are the same however they are given, and the canonical form of those that
// a Struct holds is the Struct, as it was before there was another form.
func TestCopy_VariablesAsJSON_AreTheVariables(t *testing.T) {
	t.Parallel()
	for variables, others := range map[string][]string{
		`{}`:      {`{}`, ` { } `},
		`{"n":1}`: {`{"n":1}`, `{ "n" : 1.0 }`, `{"\u006e":1e0}`},
		`{"a":[0,{"b":"é"}],"c":null,"d":1e21,"e":0.12345678901234568}`: {`{"e":0.1234567890123456789,"d":1000000000000000000000,"c":null,"a":[-0,{"b":"\u00e9"}]}`},
		`{"n":1234567890123456789,"a":1,"z":0}`:                         {`{"n":1234567890123456789,"a":1,"z":0}`, `{"z":-0.0,"a":1.0, "n":1234567890123456789}`},
		`{"n":1e400}`:                                                   {`{"n":10e399}`, `{"n":1` + strings.Repeat("0", 400) + `}`},
	} {
		one := read(t, templateID, `{"name":"n","variables":`+variables+`}`)
		want := marshal(t, canonical.Copy(one))
		for _, other := range others {
			req := &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: new("n"), VariablesJson: &other}
			before := marshal(t, req)
			if got := marshal(t, canonical.Copy(req)); !bytes.Equal(got, want) {
				t.Errorf("%s is not %s", other, variables)
			}
			if !bytes.Equal(before, marshal(t, req)) {
				t.Errorf("%s: the request itself was changed", other)
			}
		}
	}
}

// A record that is in a ledger today has to be found tomorrow.
func TestCopy_CanonicalForms_AreWhatTheyWere(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"name":"CRM","api_key":"k","base_url":"https://x","variables":{"a":[0,{"b":true}],"c":1.5,"d":9007199254740994,"e":"é","f":null}}`: "adfe036c3e3ebbe8",
		`{"variables":{"a":0.1234567890123456789}}`: "0743c6d33d1ed959",
		`{"variables":{"a":9007199254740993.0}}`:    "8f415d6dd9a579e7",
		`{"variables":{}}`:                          "8cf726356450d0cb",
	} {
		sum := sha256.Sum256(marshal(t, canonical.Copy(read(t, templateID, body))))
		if got := hex.EncodeToString(sum[:8]); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}

func TestCopy_OtherValues_StayOthers(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, body := range []string{
		`{}`, `{"name":""}`, `{"api_key":""}`, `{"base_url":""}`, `{"base_url":"https://x"}`, `{"base_url":"https://x/"}`, `{"base_url":"https://X"}`,
		`{"variables":{"a":null}}`, `{"variables":{"a":0}}`, `{"variables":{"a":"0"}}`, `{"variables":{"a":false}}`, `{"variables":{"a":{}}}`,
		`{"variables":{"a":1e400}}`, `{"variables":{"a":-1e400}}`, `{"variables":{"a":1e401}}`, `{"variables":{"a":"1e400"}}`, `{"variables":{"a":9007199254740993}}`,
		`{"variables":{"a":"9007199254740993"}}`, `{"variables":{"a":9007199254740992}}`, `{"variables":{"a":[9007199254740993]}}`, `{"variables":{"a":1e99999999999999999999}}`,
		`{"variables":{"a":[]}}`, `{"variables":{"a":[null]}}`, `{"variables":{"A":0}}`, "{\"name\":\"\u00e9\"}", "{\"name\":\"e\u0301\"}",
	} {
		key := string(marshal(t, canonical.Copy(read(t, templateID, body))))
		if other, again := seen[key]; again {
			t.Errorf("%s is %s", body, other)
		}
		seen[key] = body
	}
}

// A field that the form left out would make two different copies one. The request id names
// the copy, and unresolved is no part of it.
func TestCopy_EachFieldOfACopy_CountsInItsForm(t *testing.T) {
	t.Parallel()
	without := []protoreflect.Name{"request_id", "unresolved"}
	fields := (&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		req := new(integrationv1.CopyTemplateRequest)
		m := req.ProtoReflect()
		switch {
		case field.Name() == "variables":
			req.Variables = &structpb.Struct{Fields: map[string]*structpb.Value{"shop": structpb.NewStringValue("acme")}}
		case field.Name() == "variables_json":
			req.VariablesJson = proto.String(`{"shop":"acme"}`)
		case field.Kind() == protoreflect.StringKind:
			m.Set(field, protoreflect.ValueOfString("x"))
		case field.Kind() == protoreflect.EnumKind:
			m.Set(field, protoreflect.ValueOfEnum(1))
		default:
			t.Errorf("%s: the test sets no field of this kind", field.Name())
		}
		counts := !proto.Equal(canonical.Copy(req), new(integrationv1.CopyTemplateRequest))
		if want := !slices.Contains(without, field.Name()); counts != want {
			t.Errorf("%s is in the form that canonical.Copy returns: %t, want %t", field.Name(), counts, want)
		}
	}
}
