package upstream

import (
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/secret"
)

// minSecret is the shortest secret that is redacted, in bytes. Replacing every "k" in a
// text would protect nothing and make the text unreadable.
const minSecret = 4

// redactor returns a function that redacts the secrets of the call in a text from Diga:
// the credential, and all strings and numbers in fields marked debug_redact at any depth
// of the request. The request is searched only when the function is called.
func redactor(credential string, req proto.Message) func(string) string {
	replacer := sync.OnceValue(func() *strings.Replacer { return secretsOf(credential, req).replacer() })
	return func(text string) string { return replacer().Replace(text) }
}

// secrets are values that no text may show.
type secrets []string

// secretsOf returns the secrets of a call.
func secretsOf(credential string, req proto.Message) secrets {
	var s secrets
	s.add(credential)
	s.find(req.ProtoReflect(), false)
	return s
}

// replacer returns a replacer that redacts the secrets.
func (s secrets) replacer() *strings.Replacer {
	// The longest come first. Otherwise the rest of a secret that contains another one
	// would stay visible.
	slices.SortFunc(s, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	s = slices.Compact(s)
	pairs := make([]string, 0, 2*len(s))
	for _, value := range s {
		pairs = append(pairs, value, secret.Redacted)
	}
	return strings.NewReplacer(pairs...)
}

func (s *secrets) add(value string) {
	if len(value) >= minSecret {
		*s = append(*s, value)
	}
}

// find adds the secrets in a message: the values of marked fields, or all values if
// marked is true because a field above is marked.
func (s *secrets) find(m protoreflect.Message, marked bool) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		opts, _ := fd.Options().(*descriptorpb.FieldOptions)
		marked := marked || opts.GetDebugRedact()
		switch {
		case fd.IsList():
			for i := range v.List().Len() {
				s.value(fd, v.List().Get(i), marked)
			}
		case fd.IsMap(): // map keys are names
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				s.value(fd.MapValue(), v, marked)
				return true
			})
		default:
			s.value(fd, v, marked)
		}
		return true
	})
}

func (s *secrets) value(fd protoreflect.FieldDescriptor, v protoreflect.Value, marked bool) {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		s.find(v.Message(), marked)
	case protoreflect.BoolKind, protoreflect.EnumKind, protoreflect.BytesKind, protoreflect.GroupKind:
	default:
		if !marked {
			return
		}
		if digajson.JSONOf(fd) != nil {
			digajson.Scalars(v.String(), s.add)
		}
		if text, err := digajson.AppendText(nil, fd, v); err == nil {
			s.add(string(text))
		}
	}
}
