package upstream

import (
	"sort"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/digate/digate/server/secret"
)

// minSecret is the length, in bytes, below which a value is not searched for:
// replacing every "k" in a text would protect nothing and destroy the text.
const minSecret = 4

// secretFields returns the fields of a request that are marked debug_redact.
func secretFields(md protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	var out []protoreflect.FieldDescriptor
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if opts, ok := fd.Options().(*descriptorpb.FieldOptions); ok && opts.GetDebugRedact() {
			out = append(out, fd)
		}
	}
	return out
}

// redactor returns a function that replaces every secret of the call that
// occurs in a text of the vendor's: the credential, and all strings within the
// fields marked debug_redact. It is built only where there is such a text.
func (r *rule) redactor(credential string, req proto.Message) func(string) string {
	var secrets []string
	add := func(s string) {
		if len(s) >= minSecret {
			secrets = append(secrets, s)
		}
	}
	add(credential)
	m := req.ProtoReflect()
	for _, fd := range r.secrets {
		if m.Has(fd) {
			eachString(fd, m.Get(fd), add)
		}
	}
	// The longest first, so that a secret within a secret does not leave the
	// rest of the longer one standing.
	sort.Slice(secrets, func(i, j int) bool { return len(secrets[i]) > len(secrets[j]) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		pairs = append(pairs, s, secret.Redacted)
	}
	return strings.NewReplacer(pairs...).Replace
}

// eachString calls f for every string within a value; keys are names.
func eachString(fd protoreflect.FieldDescriptor, v protoreflect.Value, f func(string)) {
	switch {
	case fd.IsList():
		for i := range v.List().Len() {
			eachScalar(fd, v.List().Get(i), f)
		}
	case fd.IsMap():
		v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
			eachScalar(fd.MapValue(), v, f)
			return true
		})
	default:
		eachScalar(fd, v, f)
	}
}

func eachScalar(fd protoreflect.FieldDescriptor, v protoreflect.Value, f func(string)) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		f(v.String())
	case protoreflect.MessageKind:
		v.Message().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			eachString(fd, v, f)
			return true
		})
	}
}
