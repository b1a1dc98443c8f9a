package upstream

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/secret"
)

// redactNames removes the call's secrets from the drift. An upstream may have used them
// as the names of fields.
func redactNames(drift []exchange.Drift, credential string, req proto.Message) []exchange.Drift {
	if len(drift) == 0 {
		return drift
	}
	var s secrets
	for _, value := range secretsOf(credential, req) {
		s.add(digajson.AsName(value))
	}
	replacer := s.replacer()
	redacted := make([]exchange.Drift, len(drift))
	for i, d := range drift {
		path := make([]string, len(d.Path))
		for j, name := range d.Path {
			path[j] = replacer.Replace(name)
			if len(name) >= digajson.MaxName {
				path[j] = s.redactCutEnd(path[j])
			}
		}
		redacted[i] = exchange.Drift{Path: path, Kind: d.Kind, Kept: d.Kept}
	}
	return redacted
}

// redactCutEnd redacts the beginning of a secret at the end of a name that was cut.
func (s secrets) redactCutEnd(name string) string {
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
