package canonical_test

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

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
		`{"variables":{"a":9007199254740994}}`: {`{"variables":{"a":9007199254740994.0}}`, `{"variables":{"a":9.007199254740994e15}}`},
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

func TestCopy_OtherValues_StayOthers(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, body := range []string{
		`{}`, `{"name":""}`, `{"api_key":""}`, `{"base_url":""}`, `{"base_url":"https://x"}`, `{"base_url":"https://x/"}`, `{"base_url":"https://X"}`,
		`{"variables":{"a":null}}`, `{"variables":{"a":0}}`, `{"variables":{"a":"0"}}`, `{"variables":{"a":false}}`, `{"variables":{"a":{}}}`,
		`{"variables":{"a":[]}}`, `{"variables":{"a":[null]}}`, `{"variables":{"A":0}}`, "{\"name\":\"\u00e9\"}", "{\"name\":\"e\u0301\"}",
	} {
		key := string(marshal(t, canonical.Copy(read(t, templateID, body))))
		if other, again := seen[key]; again {
			t.Errorf("%s is %s", body, other)
		}
		seen[key] = body
	}
}
