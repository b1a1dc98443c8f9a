package digajson_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// emptyElements returns n empty elements of a list, 2 bytes each.
func emptyElements(n int, field protowire.Number) []byte {
	return []byte(strings.Repeat(string(protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), nil)), n))
}

// nestIn returns a message that holds the bytes in this field.
func nestIn(field protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), b)
}

// entry returns an entry of a Struct's fields.
func entry(key string, value []byte) []byte {
	b := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key)
	return nestIn(1, append(b, nestIn(2, value)...))
}

func TestCheckWire_ValuesAndDepth_AreThoseOfJSON(t *testing.T) {
	const n = digajson.MaxValues
	list := func(elements []byte) []byte { return nestIn(6, elements) } // a Value that is a list
	variables := func(fields []byte) []byte { return nestIn(5, fields) }
	deep := func(levels int) []byte {
		var b []byte
		for range levels {
			b = list(nestIn(1, b))
		}
		return variables(entry("a", b))
	}
	for name, c := range map[string]struct {
		message proto.Message
		wire    []byte
		field   string // of the refusal, empty for none
		words   string
	}{
		"at the bound":          {new(integrationv1.CopyTemplateRequest), variables(entry("a", list(emptyElements(n-1, 1)))), "", ""},
		"a value beyond it":     {new(integrationv1.CopyTemplateRequest), variables(entry("a", list(emptyElements(n, 1)))), "variables.a[99999]", "is one value too many"},
		"empty keys":            {new(integrationv1.CopyTemplateRequest), variables([]byte(strings.Repeat(string(entry("", nil)), n+1))), "variables.", "is one value too many"},
		"entries without value": {new(integrationv1.CopyTemplateRequest), variables(emptyElements(n+1, 1)), "variables.", "is one value too many"},
		"of a bulk call":        {new(integrationv1.BulkCopyTemplateRequest), nestIn(1, variables(entry("a", list(emptyElements(n, 1))))), "copy.variables.a[99999]", "is one value too many"},
		"a list of messages":    {new(integrationv1.CreateToolRequest), emptyElements(n+1, 6), "body[100000]", "is one value too many"},
		"a map":                 {new(integrationv1.CreateToolRequest), emptyElements(n+1, 8), "headers.", "is one value too many"},
		"nested":                {new(integrationv1.CopyTemplateRequest), deep(98), "", ""},
		"nested too deeply":     {new(integrationv1.CopyTemplateRequest), deep(101), "variables.a" + strings.Repeat("[0]", 99), "is nested too deeply"},
		"cut off":               {new(integrationv1.CopyTemplateRequest), []byte{0x2a, 0x7f, 1}, "", ""},
		"no protobuf":           {new(integrationv1.CopyTemplateRequest), []byte("{}"), "", ""},
	} {
		_, err := digajson.CheckWire(c.message.ProtoReflect().Descriptor(), c.wire)
		e, _ := err.(*digajson.Error)
		switch {
		case c.words == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.words != "" && (e == nil || e.Message != c.words || strings.TrimSuffix(e.Field(), ".") != strings.TrimSuffix(c.field, ".")):
			t.Errorf("%s: got %v, want %s: %s", name, err, c.field, c.words)
		}
	}
}

// The check of the bytes counts what the JSON side counts.
func TestCheckWire_SameMessage_HasTheSameValuesAsItsJSON(t *testing.T) {
	variables, err := structpb.NewStruct(map[string]any{"a": []any{1.0, "x", nil, map[string]any{"b": true, "c": []any{}}}, "d": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	m := &integrationv1.CopyTemplateRequest{TemplateId: "x", Variables: variables}
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := digajson.CheckWire(m.ProtoReflect().Descriptor(), b); n != 8 || err != nil {
		t.Errorf("got %d values, %v, want 8", n, err)
	}
	md := m.ProtoReflect().Descriptor()
	if n := testing.AllocsPerRun(100, func() { _, _ = digajson.CheckWire(md, b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestUnmarshalRequest_ListsAndMapsOfMoreElementsThanTheBound_AreRefused(t *testing.T) {
	c, err := digajson.Compile((&integrationv1.CreateToolRequest{}).ProtoReflect().Descriptor())
	if err != nil {
		t.Fatal(err)
	}
	var headers strings.Builder
	for i := range digajson.MaxValues + 1 {
		headers.WriteString(`,"` + strings.Repeat("x", 1+i%7) + string(rune('一'+i%20000)) + string(rune('一'+i/20000)) + `":""`)
	}
	for field, text := range map[string]string{
		"body[100000]": `{"body":[` + strings.Repeat(`{},`, digajson.MaxValues) + `{}]}`,
		"headers":      `{"headers":{` + headers.String()[1:] + `}}`,
	} {
		err := c.UnmarshalRequest([]byte(text), new(integrationv1.CreateToolRequest))
		if e, ok := err.(*digajson.Error); !ok || e.Message != "is one value too many" || !strings.HasPrefix(e.Field(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}
