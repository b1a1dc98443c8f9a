package upstream

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/secret"
)

// cutName is the length, in bytes, to which digajson cuts a name of the vendor's.
const cutName = 64

// redactNames replaces, in notes of drift, the secrets of the call that the vendor
// made names of.
func redactNames(notes []string, credential string, req proto.Message) {
	if len(notes) == 0 {
		return
	}
	var s secrets
	for _, value := range secretsOf(credential, req) {
		s.add(asName(value))
	}
	replacer := s.replacer()
	for i, note := range notes {
		path, what, _ := strings.Cut(note, ": ")
		names := strings.Split(path, ".")
		for j, name := range names {
			names[j] = replacer.Replace(name)
			if len(name) >= cutName {
				names[j] = s.withoutBeginning(names[j])
			}
		}
		notes[i] = strings.Join(names, ".") + ": " + what
	}
}

// withoutBeginning replaces what a name that was cut has of a secret at its end.
func (s secrets) withoutBeginning(name string) string {
	for n := len(name); n >= minSecret; n-- {
		rest, end := name[:len(name)-n], name[len(name)-n:]
		for _, value := range s {
			if strings.HasPrefix(value, end) {
				return rest + secret.Redacted
			}
		}
	}
	return name
}

// asName is a text as digajson shows it where it is the name of a field.
func asName(text string) string {
	name := []byte(text)
	for i, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			name[i] = '?'
		}
	}
	return string(name)
}
