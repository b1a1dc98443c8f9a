package canonical_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/canonical"
	"github.com/digate/digate/server/digajson"
)

// readInto reads a REST caller's body.
func readInto(t *testing.T, req proto.Message, body string) {
	t.Helper()
	codec, err := digajson.Compile(req.ProtoReflect().Descriptor())
	if err == nil {
		err = codec.UnmarshalRequest([]byte(body), req)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTool_SpellingsOfOneValue_AreOne(t *testing.T) {
	t.Parallel()
	canonicalForm := func(body string) []byte {
		var req integrationv1.CreateToolRequest
		readInto(t, &req, body)
		req.RequestId = body
		before := proto.CloneOf(&req)
		got := marshal(t, canonical.Tool(&req))
		if !proto.Equal(&req, before) {
			t.Errorf("%s: the request itself was changed", body)
		}
		return got
	}
	const spelling = `{"integration_id":"%id","name":"n","query":[{"name":"a","fixed_value":%n}],"body":[{"name":"b","properties":[{"name":"c","fixed_value":%n}]}]}`
	spell := func(id, n string) string { return strings.NewReplacer("%id", id, "%n", n).Replace(spelling) }
	want := canonicalForm(spell(templateID, "0"))
	for _, other := range []string{spell(strings.ToUpper(templateID), "0"), spell(templateID, "-0"), spell(templateID, "-0.0")} {
		if !bytes.Equal(canonicalForm(other), want) {
			t.Errorf("%s is another request", other)
		}
	}
	want1, large := canonicalForm(spell(templateID, "1")), canonicalForm(spell(templateID, "1234567890123456789"))
	for json, want := range map[string][]byte{"-0.0": want, "10e-1": want1, "1234567890123456789": large} {
		req := &integrationv1.CreateToolRequest{
			IntegrationId: templateID, Name: new("n"), Query: []*integrationv1.QueryParam{{Name: new("a"), FixedValueJson: &json}},
			Body: []*integrationv1.BodyParam{{Name: new("b"), Properties: []*integrationv1.BodyParam{{Name: new("c"), FixedValueJson: &json}}}},
		}
		before := proto.CloneOf(req)
		if !bytes.Equal(marshal(t, canonical.Tool(req)), want) || !proto.Equal(req, before) {
			t.Errorf("%s as JSON is another request", json)
		}
	}
	if bytes.Equal(large, canonicalForm(spell(templateID, "1234567890123456788"))) {
		t.Error("another integer of 19 digits is the same request")
	}
	for _, other := range []string{spell(templateID, "1"), spell(templateID, `"0"`), strings.Replace(spell(templateID, "0"), `"n"`, `"N"`, 1)} {
		if bytes.Equal(canonicalForm(other), want) {
			t.Errorf("%s is the same request", other)
		}
	}
}

func TestTool_CanonicalForm_IsWhatItWas(t *testing.T) {
	t.Parallel()
	req := new(integrationv1.CreateToolRequest)
	readInto(t, req, `{"integration_id":"`+templateID+`","name":"n","query":[{"name":"a","fixed_value":-0}],"body":[{"name":"b","properties":[{"name":"c","fixed_value":0.1234567890123456789}]}]}`)
	sum := sha256.Sum256(marshal(t, canonical.Tool(req)))
	if got := hex.EncodeToString(sum[:8]); got != "0d87a1033ce98572" {
		t.Errorf("got %s", got)
	}
}

func TestIntegration_RequestID_IsLeftOut(t *testing.T) {
	t.Parallel()
	a, b := &integrationv1.CreateIntegrationRequest{Name: new("n"), RequestId: "a"}, &integrationv1.CreateIntegrationRequest{Name: new("n"), RequestId: "b"}
	if !bytes.Equal(marshal(t, canonical.Integration(a)), marshal(t, canonical.Integration(b))) {
		t.Error("the request id is part of the canonical form")
	}
	b.Headers = map[string]string{"a": "b"}
	if bytes.Equal(marshal(t, canonical.Integration(a)), marshal(t, canonical.Integration(b))) {
		t.Error("a header makes no difference")
	}
	if a.GetRequestId() != "a" {
		t.Error("the request itself was changed")
	}
}
