package gateway

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson"
)

// parseQuery parses a query as Diga does. Unlike net/url, it drops nothing: only &
// separates parameters, the last value of a repeated name counts, and a percent sign that
// begins no valid escape is kept.
func parseQuery(raw string) map[string]string {
	if raw == "" {
		return nil
	}
	values := make(map[string]string)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		values[unescape(name)] = unescape(value)
	}
	return values
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 < len(s) {
				if b, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
					out = append(out, byte(b))
					i += 2
					continue
				}
			}
			out = append(out, c)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// setQuery sets the fields of the message from the query. Like Diga, it ignores unknown
// parameters.
func (r *route) setQuery(query map[string]string, m protoreflect.Message) error {
	for _, fd := range r.Binding.Query {
		text, ok := query[string(fd.Name())]
		if !ok {
			continue
		}
		v, err := digajson.ParseText(fd, text)
		if err != nil {
			return decodeError(err)
		}
		m.Set(fd, v)
	}
	return nil
}
