package digajson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// seeds are texts that between them touch every kind of value.
var seeds = []string{
	full,
	`{"s":"x","os":"","b":true,"ob":false,"i32":-1,"s32":1e2,"sf32":1.0,"i64":9223372036854775807,"s64":-0,"sf64":0,"u32":1,"f32":2,"u64":18446744073709551615,"f64":1,"oi32":0}`,
	`{"fl":0.1,"db":-1.5e-300,"by":"AP8=","e":"GOOD","oe":"own spelling","at":"2024-05-06 07:08:09.123456+02:00","sub":{"sub":{"s":"\ud83d\ude00"}}}`,
	`{"st":{"a":[1,-0,1.5e3,"é",null,true,{"b":{}}]},"va":[[]],"lv":[{}],"lva":[null,1],"mva":{"":null}}`,
	`{"ls":["a",""],"li":[1],"le":["GOOD"],"lm":[{"id":"x","below":{}}],"lt":["0001-01-01T00:00:00"],"ms":{"a":"b"},"mi":{"a":1},"mm":{"a":{"id":"y"}},"me":{"a":"GOOD"},"pick_b":{}}`,
	`{"name":"x","api_key":null,"base_url":"","variables":{"a":9007199254740992,"b":{"a":"\u0000"}},"request_id":1,"zzz":[[],{}]}`,
	`{"variables":{"a":9007199254740993}}`, `{"variables":{"a":1,"a":2}}`, `{"variables":{"a":1e999}}`, `{"zzz":"\ud800","s":1}`,
	`{"id":"x","\ud800abcde\\":1,"headers":{"a":1,"a":"b","\udc00":""},"headers":{},"id":null,"auth_type":"NEW"}`,
	`{"data":[{"id":"x","type":"HTTP","path":"/"},{"type":"MCP"},{"type":null},{}],"has_more":true,"one":{"type":"SSE"},"by_id":{"k":{"type":"HTTP","type":"MCP"}}}`,
	`{"name":null,"title":"t","on":false,"headers":{},"tags":["a"],"st":null,"mood":"GOOD","leaf":{"id":"x"}}`,
	toolPage, `{"name":null,"description":"","headers":{"a":"b"},"auth_key":null}`,
	`{"a":[[[[[[[[]]]]]]]]}`, `{"i64":12`, `{"s":"a`, `{"at":"2016-12-31T23:59:60Z"}`, `[]`, `null`, ``, `{} {}`, "\xef\xbb\xbf{}", `{"s":"\u12"}`,
}

// types are the messages that texts are read into: dynamic ones with every kind
// of field, and generated ones.
func types(t testing.TB) (all []subject) {
	for _, name := range []string{"Every", "Page", "Tool", "Patch", "Leaf"} {
		all = append(all, subject{compile(t, descriptor(name)), newMessage(name)})
	}
	copyRequest, update, tools := new(integrationv1.CopyTemplateRequest), new(integrationv1.UpdateIntegrationRequest), new(integrationv1.ListToolsResponse)
	return append(all,
		subject{integrationCodec(t), newIntegration()},
		subject{compile(t, copyRequest.ProtoReflect().Descriptor(), digajson.Exclude("template_id")), copyRequest},
		subject{compile(t, update.ProtoReflect().Descriptor(), digajson.Exclude("integration_id")), update},
		subject{compile(t, tools.ProtoReflect().Descriptor()), tools})
}

type subject struct {
	*digajson.Codec
	empty proto.Message
}

func (s subject) newMessage() proto.Message { return s.empty.ProtoReflect().New().Interface() }

func (s subject) name() protoreflect.FullName { return s.empty.ProtoReflect().Descriptor().FullName() }

func addSeeds(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
}

// FuzzRequest holds strict reading to what a client and Diga rely on: only valid
// JSON is taken, and a message that was read is written with the same content.
func FuzzRequest(f *testing.F) {
	addSeeds(f)
	all := types(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		for _, s := range all {
			m := s.newMessage()
			if err := s.UnmarshalRequest(data, m); err != nil {
				var e *digajson.Error
				if !errors.As(err, &e) || e.Kind == "" || e.Message == "" || e.Offset > len(data) {
					t.Fatalf("%s: %#v", s.name(), err)
				}
				if text := err.Error(); !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\n\r\x1b") {
					t.Fatalf("%s: an error that cannot be printed: %q", s.name(), text)
				}
				if e.Kind != digajson.KindJSON || !json.Valid(data) {
					continue
				}
				t.Fatalf("%s: refuses valid JSON: %v", s.name(), err)
			}
			if !json.Valid(data) || !utf8.Valid(data) {
				t.Fatalf("%s: takes what is no JSON", s.name())
			}
			written, err := s.AppendRequest(nil, m)
			if err != nil || !json.Valid(written) {
				t.Fatalf("%s: %s: %v", s.name(), written, err)
			}
			back := s.newMessage()
			if err := s.UnmarshalRequest(written, back); err != nil || !proto.Equal(m, back) {
				t.Fatalf("%s: %s comes back as %v, %v", s.name(), written, back, err)
			}
			// A lenient reader finds the same.
			lenient := s.newMessage()
			if _, err := unmarshalResponse(s.Codec, data, lenient); err != nil || !proto.Equal(withoutMask(m), withoutMask(verbatimAlone(lenient))) {
				t.Fatalf("%s: a response is read as %v, %v", s.name(), lenient, err)
			}
		}
		if !bytes.Equal(data, before) {
			t.Fatal("the bytes were changed")
		}
	})
}

// FuzzResponse holds lenient reading to never panicking, to leaving nothing that
// cannot be written, and to keeping what was complete in every beginning.
func FuzzResponse(f *testing.F) {
	addSeeds(f)
	all := types(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range all {
			m := s.newMessage()
			drift, err := unmarshalResponse(s.Codec, data, m)
			if err == nil && !json.Valid(data) {
				t.Fatalf("%s: takes what is no JSON", s.name())
			}
			if len(drift) > 32 {
				t.Fatalf("%s: %d notes", s.name(), len(drift))
			}
			for i, note := range drift {
				if strings.Trim(note, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-?.*: ") != "" || slices.Contains(drift[:i], note) {
					t.Fatalf("%s: drift %q", s.name(), drift)
				}
			}
			written, err := s.AppendResponse(nil, m)
			if err != nil || !json.Valid(written) || !utf8.Valid(written) {
				t.Fatalf("%s: %s: %v", s.name(), written, err)
			}
			// A key that is no UTF-8 is lacking in a Struct, and is there, as text, in the JSON
			// beside it, which is what is written.
			back := s.newMessage()
			if _, err := unmarshalResponse(s.Codec, written, back); err != nil || utf8.Valid(data) && !proto.Equal(verbatimAlone(m), verbatimAlone(back)) {
				t.Fatalf("%s: %s comes back as %v, %v", s.name(), written, back, err)
			}
		}
		for _, s := range all {
			if _, dynamic := s.empty.(*dynamicpb.Message); !dynamic {
				sameAsDynamic(t, s, data)
			}
		}
	})
}

// sameAsDynamic fails the test unless a generated message, whose fields are reached in
// its Go struct, is read and written as a dynamic one, which only protoreflect reaches.
func sameAsDynamic(t *testing.T, s subject, data []byte) {
	generated, dynamic := s.newMessage(), proto.Message(dynamicpb.NewMessage(s.empty.ProtoReflect().Descriptor()))
	drift1, err1 := unmarshalResponse(s.Codec, data, generated)
	drift2, err2 := unmarshalResponse(s.Codec, data, dynamic)
	if !proto.Equal(generated, dynamic) || !reflect.DeepEqual(drift1, drift2) || !reflect.DeepEqual(err1, err2) {
		t.Fatalf("%v %q %v\n%v %q %v", generated, drift1, err1, dynamic, drift2, err2)
	}
	for _, write := range []func([]byte, proto.Message) ([]byte, error){s.AppendRequest, s.AppendResponse} {
		written1, err1 := write(nil, generated)
		written2, err2 := write(nil, dynamic)
		if !bytes.Equal(written1, written2) || !reflect.DeepEqual(err1, err2) {
			t.Fatalf("%s %v\n%s %v", written1, err1, written2, err2)
		}
	}
}

// FuzzResponseCutShort cuts a valid response anywhere: no field holds anything but
// what the whole response has there.
func FuzzResponseCutShort(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), uint16(len(s)/2))
	}
	all := types(f)
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		if !json.Valid(data) || int(at) >= len(bytes.TrimRight(data, " \t\r\n")) {
			return
		}
		for _, s := range all {
			whole := s.newMessage()
			if drift, err := unmarshalResponse(s.Codec, data, whole); err != nil || strings.Contains(strings.Join(drift, "\n"), "duplicate_key") || strings.Contains(strings.Join(drift, "\n"), "oneof_set_twice") {
				continue // the last one counts, and it may be cut off
			}
			cut := s.newMessage()
			if _, err := unmarshalResponse(s.Codec, data[:at], cut); err == nil {
				t.Fatalf("%s: %q is whole", s.name(), data[:at])
			}
			if path := beyond(cut.ProtoReflect(), whole.ProtoReflect()); path != "" {
				t.Fatalf("%s: %s of %q is not what the whole has:\n%v\n%v", s.name(), path, data[:at], cut, whole)
			}
		}
	})
}

// beyond returns a field of part that whole has not, or has otherwise.
func beyond(part, whole protoreflect.Message) (path string) {
	part.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		w := whole.Get(fd)
		nested := fd.Message() != nil && !fd.IsMap() && fd.Message().FullName().Parent() != "google.protobuf"
		switch {
		case fd.IsList() && v.List().Len() > w.List().Len():
			path = string(fd.Name())
		case fd.IsList():
			for i := range v.List().Len() {
				if nested {
					path = beyond(v.List().Get(i).Message(), w.List().Get(i).Message())
				} else if !v.List().Get(i).Equal(w.List().Get(i)) {
					path = string(fd.Name())
				}
			}
		case fd.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				switch {
				case !w.Map().Has(k):
					path = string(fd.Name())
				case fd.MapValue().Message() != nil && fd.MapValue().Message().FullName().Parent() != "google.protobuf":
					path = beyond(v.Message(), w.Map().Get(k).Message())
				case !v.Equal(w.Map().Get(k)):
					path = string(fd.Name())
				}
				return path == ""
			})
		case nested && whole.Has(fd):
			path = beyond(v.Message(), w.Message())
		case !whole.Has(fd) || !v.Equal(w):
			path = string(fd.Name())
		}
		return path == ""
	})
	return path
}

// FuzzVerbatim holds the JSON that takes the place of variables to the JSON of a client
// that is read into them: the same is taken, and Diga gets it as it is. Its canonical
// form is that of every spelling.
func FuzzVerbatim(f *testing.F) {
	for _, s := range append(seeds, `{"a":9007199254740993,"b":-0,"c":0.1234567890123456789}`, ` { "\u0061" : [ 1e400 , -1E-400 ] } `, `{"a":1e99999999999999999999}`, `{"a":1000000000000000000000}`) {
		f.Add(s)
	}
	fd := (*integrationv1.CopyTemplateRequest)(nil).ProtoReflect().Descriptor().Fields().ByName("variables_json")
	c := compile(f, (&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor())
	f.Fuzz(func(t *testing.T, text string) {
		m := &integrationv1.CopyTemplateRequest{VariablesJson: &text}
		err := digajson.CheckVerbatim(m.ProtoReflect(), fd, "")
		read := new(integrationv1.CopyTemplateRequest)
		readErr := c.UnmarshalRequest([]byte(`{"variables":`+text+`}`), read)
		if whole := json.Valid([]byte(text)) && strings.TrimLeft(text, " \t\r\n") != "null"; (err == nil) != (readErr == nil && whole) {
			t.Fatalf("%v, and read: %v", err, readErr)
		}
		written, writeErr := c.AppendRequest(nil, m)
		if (writeErr == nil) != (err == nil) {
			t.Fatalf("%v, and written: %v", err, writeErr)
		}
		if err != nil {
			if e := err.(*digajson.Error); e.Path[0] != "variables_json" || e.Kind == "" || e.Message == "" {
				t.Fatalf("%#v", e)
			}
			return
		}
		if string(written) != `{"variables":`+text+`}` {
			t.Fatalf("written %s", written)
		}
		if _, err := proto.Marshal(read); err != nil || (read.Variables == nil) == (read.VariablesJson == nil) || read.VariablesJson != nil && read.GetVariablesJson() != strings.TrimSpace(text) {
			t.Fatalf("read %v, %v", read, err)
		}
		v, form := digajson.Canonical(text)
		switch {
		case (v == nil) == (form == ""):
			t.Fatalf("canonical: %v, %s", v, form)
		case form != "":
			if same, again := digajson.Canonical(form); same != nil || again != form {
				t.Fatalf("the canonical form of %s is %s, %v", form, again, same)
			}
		case read.Variables != nil && !proto.Equal(v.GetStructValue(), withoutNegativeZeros(read.Variables)):
			t.Fatalf("canonical: %v, read: %v", v, read.Variables)
		}
	})
}

// FuzzForwarded holds reading without Structs to reading with them: the same is refused,
// in the same words, and Diga gets the same bytes. What is compared of a request is the
// same, too.
func FuzzForwarded(f *testing.F) {
	for _, s := range append(seeds,
		`{"variables":{"b":1,"a":{"d":[],"c":"\u00e9\/\b"},"\u0061b":[1.0,1e20,-0,1e21,0.1]}}`, `{"variables":{"b":[1],"a":1,"b":2}}`, `{"variables":{"b":1,"\u0062":2}}`,
		`{"variables": { "" : 9007199254740993 , "a" : "\ud83d\ude00" } ,"name":"n"}`, `{"variables":{"a":"\udc00"}}`, "{\"variables\":{\"b\":\"\xff\"}}", `{"variables":{},"variables":{}}`, `{"variables":[]}`,
		`{"variables":{"a":1.50,"B":tru}}`, `{"variables":{"a":{"a":{"b":1,"a":2}},"Z":{"y":"","x":0}}} x`, `{"variables":{"a":[1,2,],"b":[,]}}`, `{"variables":{"a":`+strings.Repeat("[", 98)+strings.Repeat("]", 98)+`}}`,
		`{"variables":{"a":`+strings.Repeat("[", 99)+strings.Repeat("]", 99)+`}}`, `{"query":[{"name":"q","fixed_value":1e400},{"fixed_value":[{"b":1,"a":1.0}]},{"fixed_value":12}],"body":[{"properties":[{"fixed_value":"x"}]}]}`,
	) {
		f.Add(s)
	}
	request, tool := new(integrationv1.CopyTemplateRequest), new(integrationv1.CreateToolRequest)
	all := []subject{
		{compile(f, request.ProtoReflect().Descriptor(), digajson.Exclude("template_id")), request},
		{compile(f, tool.ProtoReflect().Descriptor()), tool},
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range all {
			read, forwarded := s.newMessage(), s.newMessage()
			err := s.UnmarshalRequest([]byte(text), read)
			known, forwardedErr := s.UnmarshalForwarded([]byte(text), forwarded)
			if !reflect.DeepEqual(err, forwardedErr) {
				t.Fatalf("%v, and forwarded: %v", err, forwardedErr)
			}
			if err != nil {
				continue
			}
			written, err := s.AppendRequest(nil, read)
			forwardedWritten, forwardedErr := s.AppendRequest(nil, forwarded)
			if err != nil || forwardedErr != nil || !bytes.Equal(written, forwardedWritten) {
				t.Fatalf("%s, %v, and forwarded: %s, %v", written, err, forwardedWritten, forwardedErr)
			}
			if checked, err := s.AppendChecked(nil, forwarded); err != nil || !bytes.Equal(checked, written) {
				t.Fatalf("checked: %s, %v", checked, err)
			}
			verbatims(forwarded.ProtoReflect(), func(m protoreflect.Message, fd protoreflect.FieldDescriptor) {
				if m.Has(digajson.JSONOf(fd)) || digajson.CheckVerbatim(m, fd, "") != nil || digajson.CheckVerbatim(m, fd, known) != nil {
					t.Fatalf("forwarded %v", m)
				}
			})
			if m, ok := read.(*integrationv1.CopyTemplateRequest); ok && m.Variables != nil {
				v, _ := digajson.Canonical(forwarded.(*integrationv1.CopyTemplateRequest).GetVariablesJson())
				if !proto.Equal(v.GetStructValue(), withoutNegativeZeros(m.Variables)) {
					t.Fatalf("canonical: %v, read: %v", v, m.Variables)
				}
			}
		}
	})
}

// FuzzForwardedWire holds decoding protobuf without Structs to decoding it with them: the
// same is refused, and Diga gets the same bytes, or the caller the same error.
func FuzzForwardedWire(f *testing.F) {
	request := new(integrationv1.CopyTemplateRequest)
	codec := compile(f, request.ProtoReflect().Descriptor())
	forwarded := func(md protoreflect.MessageDescriptor) bool {
		return md.FullName() == request.ProtoReflect().Descriptor().FullName()
	}
	reader := digajson.WireReader{Forwarded: forwarded}
	seed := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		return b
	}
	for _, s := range append(seeds, `{"variables":{"b":[true,false,null,"x\n",-0,1e21,{"":{}},[]],"a":"\u0000é"}}`) {
		m := new(integrationv1.CopyTemplateRequest)
		if codec.UnmarshalRequest([]byte(s), m) != nil {
			continue
		}
		f.Add(nestIn(1, seed(m)))
		m.RequestId = "r"
		seed(&integrationv1.BulkCopyTemplateRequest{Copy: m})
	}
	seed(&integrationv1.CopyTemplateRequest{Variables: structOf(f, `{"a":1}`), VariablesJson: new("{}"), BaseUrl: new("u")})
	seed(&integrationv1.CopyTemplateRequest{Variables: &structpb.Struct{Fields: map[string]*structpb.Value{"a": {}}}})
	seed(&integrationv1.CopyTemplateRequest{Variables: &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewNumberValue(math.Inf(1))}}})
	variables := func(fields ...[]byte) []byte { return nestIn(5, slices.Concat(fields...)) }
	one, two := entry("a", nestIn(3, []byte("x"))), entry("a", nestIn(3, []byte("y")))
	for _, b := range [][]byte{
		variables(one, two), slices.Concat(variables(one), variables(two)), variables(entry("\xff", nestIn(3, nil))), variables(entry("a", nestIn(3, []byte("\xff")))),
		variables(nestIn(1, nil)), variables(nestIn(2, nil)), variables(entry("a", slices.Concat(nestIn(3, nil), nestIn(6, nil)))), variables(entry("a", []byte{0x20, 2})), variables(entry("a", []byte{0x08, 7})),
		variables(nestIn(1, slices.Concat(nestIn(2, nestIn(3, nil)), nestIn(1, []byte("late"))))), {0x2a, 0x7f, 1}, {0x28, 1}, slices.Concat([]byte{0xaa, 0x00, 0x00}, []byte{0x78, 1}),
	} {
		f.Add(b)
		f.Add(nestIn(1, b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		for _, empty := range []proto.Message{new(integrationv1.CopyTemplateRequest), new(integrationv1.BulkCopyTemplateRequest)} {
			plain, read := empty, empty.ProtoReflect().New().Interface()
			err, readErr := proto.Unmarshal(b, plain), reader.Unmarshal(b, read)
			if (err == nil) != (readErr == nil) {
				t.Fatalf("%v, and forwarded: %v", err, readErr)
			}
			if err != nil {
				continue
			}
			want, isCopy := plain.(*integrationv1.CopyTemplateRequest)
			got, _ := read.(*integrationv1.CopyTemplateRequest)
			if !isCopy {
				want, got = plain.(*integrationv1.BulkCopyTemplateRequest).GetCopy(), read.(*integrationv1.BulkCopyTemplateRequest).GetCopy()
			}
			if want == nil {
				want, got = new(integrationv1.CopyTemplateRequest), new(integrationv1.CopyTemplateRequest)
			}
			written, err := codec.AppendRequest(nil, want)
			forwarded, forwardedErr := codec.AppendRequest(nil, got)
			if !bytes.Equal(written, forwarded) || !reflect.DeepEqual(err, forwardedErr) {
				t.Fatalf("%s, %v, and forwarded: %s, %v", written, err, forwarded, forwardedErr)
			}
			if got.VariablesJson != nil && want.VariablesJson == nil {
				v, _ := digajson.Canonical(got.GetVariablesJson())
				if got.Variables != nil || !proto.Equal(v.GetStructValue(), withoutNegativeZeros(want.Variables)) {
					t.Fatalf("canonical: %v, decoded: %v", v, want.Variables)
				}
				want.Variables, got.VariablesJson = nil, nil
			}
			if !proto.Equal(plain, read) {
				t.Fatalf("%v, and forwarded: %v", plain, read)
			}
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the bytes were changed")
		}
	})
}

func structOf(f *testing.F, text string) *structpb.Struct {
	m := new(integrationv1.CopyTemplateRequest)
	if err := compile(f, m.ProtoReflect().Descriptor()).UnmarshalRequest([]byte(`{"variables":`+text+`}`), m); err != nil {
		f.Fatal(err)
	}
	return m.Variables
}

func withoutNegativeZeros(s *structpb.Struct) *structpb.Struct {
	s = proto.CloneOf(s)
	var unsign func(v *structpb.Value)
	unsign = func(v *structpb.Value) {
		switch k := v.GetKind().(type) {
		case *structpb.Value_NumberValue:
			k.NumberValue += 0
		case *structpb.Value_StructValue:
			for _, v := range k.StructValue.GetFields() {
				unsign(v)
			}
		case *structpb.Value_ListValue:
			for _, v := range k.ListValue.GetValues() {
				unsign(v)
			}
		}
	}
	unsign(structpb.NewStructValue(s))
	return s
}

// FuzzStruct holds the content of a Struct to encoding/json's reading of it.
func FuzzStruct(f *testing.F) {
	for _, s := range append(seeds, `{"a":"\ud800"}`, `{"a":[1e22,1e-7,-0.0,123456789012345680000]}`, `{"\u0061":1,"b":"\/\b\f"}`) {
		f.Add([]byte(s))
	}
	c := compile(f, (&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor())
	f.Fuzz(func(t *testing.T, data []byte) {
		text := append(append([]byte(`{"variables":`), data...), '}')
		m := new(integrationv1.CopyTemplateRequest)
		if c.UnmarshalRequest(text, m) != nil || m.GetVariables() == nil || !json.Valid(data) {
			return
		}
		var want map[string]any
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("encoding/json: %v", err)
		}
		if got := m.GetVariables().AsMap(); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, encoding/json has %v", got, want)
		}
		written, err := c.AppendRequest(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		var again struct{ Variables map[string]any }
		if err := json.Unmarshal(written, &again); err != nil || !reflect.DeepEqual(again.Variables, want) {
			t.Fatalf("written %s, which encoding/json reads as %v, %v", written, again.Variables, err)
		}
	})
}

// FuzzWrite writes messages that came as protobuf: it is refused or comes back.
func FuzzWrite(f *testing.F) {
	var all []subject
	for _, s := range types(f) {
		if _, dynamic := s.empty.(*dynamicpb.Message); !dynamic { // whose Structs would not be ours
			all = append(all, s)
		}
	}
	for i, s := range all {
		for _, seed := range seeds {
			m := s.newMessage()
			_, _ = unmarshalResponse(s.Codec, []byte(seed), m)
			b, err := proto.Marshal(m)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), b)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, wire []byte) {
		s := all[int(which)%len(all)]
		m := s.newMessage()
		if proto.Unmarshal(wire, m) != nil {
			return
		}
		dst := []byte("before")
		request, err := s.AppendRequest(dst, m)
		if !bytes.HasPrefix(request, dst) || err != nil && len(request) != len(dst) {
			t.Fatalf("left %q, %v", request, err)
		}
		if err == nil {
			back := s.newMessage()
			if err := s.UnmarshalRequest(request[len(dst):], back); err != nil {
				t.Fatalf("%s: %v", request, err)
			}
			again, err := s.AppendRequest(dst, back)
			if err != nil || !bytes.Equal(again, request) && !hasVerbatim(m) {
				t.Fatalf("%s\n%s: %v", request, again, err)
			}
		}
		if response, err := s.AppendResponse(nil, m); err == nil && !json.Valid(response) {
			t.Fatalf("%s", response)
		}
	})
}

// verbatims calls f with every field of a message, and of those within it, that holds
// the JSON of another, and with its message.
func verbatims(m protoreflect.Message, f func(protoreflect.Message, protoreflect.FieldDescriptor)) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case digajson.JSONOf(fd) != nil:
			f(m, fd)
		case fd.Message() == nil || fd.IsMap():
		case fd.IsList():
			for i := range v.List().Len() {
				verbatims(v.List().Get(i).Message(), f)
			}
		default:
			verbatims(v.Message(), f)
		}
		return true
	})
}

func hasVerbatim(m proto.Message) (has bool) {
	verbatims(m.ProtoReflect(), func(protoreflect.Message, protoreflect.FieldDescriptor) { has = true })
	return has
}

// verbatimAlone returns the message without what is in the JSON beside it, which is on
// one line.
func verbatimAlone(m proto.Message) proto.Message {
	m = proto.Clone(m)
	verbatims(m.ProtoReflect(), func(m protoreflect.Message, fd protoreflect.FieldDescriptor) {
		m.Clear(digajson.JSONOf(fd))
		m.Set(fd, protoreflect.ValueOfString(strings.NewReplacer("\r", "", "\n", "").Replace(m.Get(fd).String())))
	})
	return m
}

func withoutMask(m proto.Message) proto.Message {
	fd := m.ProtoReflect().Descriptor().Fields().ByName("update_mask")
	if fd == nil {
		return m
	}
	m = proto.Clone(m)
	m.ProtoReflect().Clear(fd)
	return m
}
