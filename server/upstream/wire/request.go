package wire

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"golang.org/x/net/http/httpguts"
)

// usuallyLacksBody reports whether net/http sends a request of this method that has no
// body without a length.
func usuallyLacksBody(verb string) bool {
	return verb == http.MethodGet || verb == http.MethodHead || verb == http.MethodDelete
}

// appendRequest appends a request with a body as [http.Request.Write] writes it: the host,
// the user agent, the length, and the other fields by their names. A field that is malformed
// is an error, as it is of [http.Transport]: it could end the header, or begin another one.
func appendRequest(b []byte, r *http.Request, body []byte) ([]byte, error) {
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) || slices.ContainsFunc(values, malformed) {
			return nil, fmt.Errorf("the request's header field %q is malformed", name)
		}
	}
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.URL.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, r.Host...)
	b = append(b, "\r\n"...)
	const userAgent = "User-Agent"
	b = appendFields(b, userAgent, r.Header[userAgent])
	if len(body) > 0 {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	names := make([]string, 0, 8)
	for name := range r.Header {
		if name != userAgent {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b = appendFields(b, name, r.Header[name])
	}
	b = append(b, "\r\n"...)
	return append(b, body...), nil
}

func malformed(value string) bool { return !httpguts.ValidHeaderFieldValue(value) }

func appendFields(b []byte, name string, values []string) []byte {
	for _, v := range values {
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, v...)
		b = append(b, "\r\n"...)
	}
	return b
}
