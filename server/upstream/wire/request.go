package wire

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"golang.org/x/net/http/httpguts"
)

// usuallyLacksBody reports whether net/http omits the length of an empty body for this
// method.
func usuallyLacksBody(verb string) bool {
	return verb == http.MethodGet || verb == http.MethodHead || verb == http.MethodDelete
}

// Request is a request to the upstream.
type Request struct {
	Verb string
	// Target is the encoded path and query.
	Target string
	// Header has the fields sorted by name.
	Header []Field
	Body   []byte
}

// Field is a field of a header.
type Field struct{ Name, Value string }

// HTTP returns the request in net/http's form, for a host.
//
// GetBody is nil, and Body never is, however empty: net/http would repeat a request that
// has neither by itself, over HTTP/1.1 and HTTP/2. If net/http knows that a body is in
// memory, it sends the body and the header in one write.
func (r *Request) HTTP(ctx context.Context, scheme, host string) (*http.Request, error) {
	u, err := url.ParseRequestURI(r.Target)
	if err != nil {
		return nil, err
	}
	u.Scheme, u.Host = scheme, host
	header, values := make(http.Header, len(r.Header)), make([]string, len(r.Header))
	for i, f := range r.Header {
		values[i] = f.Value
		header[f.Name] = values[i : i+1 : i+1]
	}
	req := http.Request{
		Method: r.Verb, URL: u, Host: host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(r.Body)), ContentLength: int64(len(r.Body)),
	}
	return req.WithContext(ctx), nil
}

// appendRequest appends a request as [http.Request.Write] writes it: the host, the user
// agent, the length, and the other fields. A malformed field is an error, as in
// [http.Transport], because it could end the header or add a field.
func appendRequest(b []byte, host string, r *Request) ([]byte, error) {
	const userAgent = "User-Agent"
	b = append(b, r.Verb...)
	b = append(b, ' ')
	b = append(b, r.Target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\n"...)
	for _, f := range r.Header {
		if !httpguts.ValidHeaderFieldName(f.Name) || !httpguts.ValidHeaderFieldValue(f.Value) {
			return nil, fmt.Errorf("the request's header field %q is malformed", f.Name)
		}
		if f.Name == userAgent {
			b = appendField(b, f)
		}
	}
	if len(r.Body) > 0 {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(r.Body)), 10)
		b = append(b, "\r\n"...)
	}
	for _, f := range r.Header {
		if f.Name != userAgent {
			b = appendField(b, f)
		}
	}
	b = append(b, "\r\n"...)
	return append(b, r.Body...), nil
}

func appendField(b []byte, f Field) []byte {
	b = append(b, f.Name...)
	b = append(b, ": "...)
	b = append(b, f.Value...)
	return append(b, "\r\n"...)
}
