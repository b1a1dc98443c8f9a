package digajson_test

import (
	"cmp"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// FuzzParseText reads a field of each kind from any text of a URL. A value that is read is
// the same when it is written and read again.
func FuzzParseText(f *testing.F) {
	for _, s := range []string{"", "true", "1", "-1", "2147483648", "+1", " 1", "API_KEY", "0x1", "\xff", "é", "1e2"} {
		f.Add(s)
	}
	var fields []protoreflect.FieldDescriptor
	for _, m := range []proto.Message{(*integrationv1.ListIntegrationsRequest)(nil), (*integrationv1.Integration)(nil), (*integrationv1.ListTemplatesRequest)(nil)} {
		all := m.ProtoReflect().Descriptor().Fields()
		for i := range all.Len() {
			if fd := all.Get(i); fd.Message() == nil && !fd.IsList() && !fd.IsMap() {
				fields = append(fields, fd)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, fd := range fields {
			v, err := digajson.ParseText(fd, text)
			if err != nil {
				continue
			}
			written, broken := digajson.AppendText(nil, fd, v)
			again, err := digajson.ParseText(fd, string(written))
			if broken != nil || err != nil || !v.Equal(again) {
				t.Errorf("%s: %q is %v, then %q, %v, %v", fd.FullName(), text, v, written, again, cmp.Or(broken, err))
			}
		}
	})
}

// FuzzCheckWire checks any bytes. What passes and can be decoded holds at most as many
// values as were counted.
func FuzzCheckWire(f *testing.F) {
	name := "n"
	for _, m := range []proto.Message{
		&integrationv1.CopyTemplateRequest{TemplateId: "t", Name: &name}, &integrationv1.CreateToolRequest{IntegrationId: "i"},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x2a\x0a\x0a\x08\x0a\x01a\x12\x03\x22\x01b"))
	f.Add([]byte("\x2a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range []proto.Message{new(integrationv1.CopyTemplateRequest), new(integrationv1.CreateToolRequest), new(integrationv1.BulkCopyTemplateRequest)} {
			values, err := digajson.CheckWire(m.ProtoReflect().Descriptor(), b)
			if values < 0 || values > digajson.MaxValues+1 || err == nil && values > digajson.MaxValues {
				t.Errorf("%x: %d values, %v", b, values, err)
			}
			if err == nil {
				_ = proto.Unmarshal(b, m)
			}
		}
	})
}
