package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/upstream/wire"
	"github.com/digate/digate/server/validate"
)

// Header values that every request shares; net/http only reads them.
var (
	headerJSON     = []string{"application/json"}
	headerIdentity = []string{"identity"}
)

// request is Diga's HTTP request, without a context.
type request struct {
	verb   string
	url    *url.URL
	header http.Header
	body   []byte
}

// newRequest turns a message into Diga's HTTP request. What cannot be said is the
// caller's mistake: an [apierror.Error] that names the field.
func (c *Client) newRequest(r *rule, credential string, m proto.Message) (request, error) {
	msg := m.ProtoReflect()
	u := &url.URL{Scheme: c.scheme, Host: c.host}
	var err error
	if u.RawPath, err = r.encodePath(c.basePath, msg); err != nil {
		return request{}, err
	}
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return request{}, err
	}
	if u.RawQuery, err = r.encodeQuery(msg); err != nil {
		return request{}, err
	}
	req := request{verb: r.Verb, url: u, header: http.Header{
		"Accept":          headerJSON,
		"Accept-Encoding": headerIdentity,
		"User-Agent":      c.userAgent,
		"Authorization":   {"Bearer " + credential},
	}}
	if r.Body == nil {
		return req, nil
	}
	if req.body, err = r.Body.AppendChecked(make([]byte, 0, 512), m); err != nil {
		return request{}, validate.Refusal(err, (*digajson.Error).Field)
	}
	if int64(len(req.body)) > c.maxRequest {
		return request{}, apierror.RequestTooLarge(c.maxRequest)
	}
	req.header["Content-Type"] = headerJSON
	return req, nil
}

// roundTrip makes the HTTP exchange of a request.
func (c *Client) roundTrip(ctx context.Context, r *request, track *wire.Tracker) (*http.Response, error) {
	direct := c.direct.Load()
	if direct.Takes(r.verb, r.body) {
		resp, err := direct.RoundTrip(ctx, &http.Request{Method: r.verb, URL: r.url, Host: r.url.Host, Header: r.header}, r.body, track)
		if !errors.Is(err, wire.ErrHTTP2) {
			return resp, err
		}
	}
	// GetBody stays nil and Body never is, however empty: net/http sends a
	// request that has neither again by itself, over HTTP/1.1 and HTTP/2. A body
	// that net/http knows to be in memory goes out in one write with the header.
	req := http.Request{
		Method: r.verb, URL: r.url, Host: r.url.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.header, Body: io.NopCloser(bytes.NewReader(r.body)), ContentLength: int64(len(r.body)),
	}
	resp, err := c.transport.Load().RoundTrip(req.WithContext(track.Context(ctx)))
	if err == nil {
		direct.Learn(resp.ProtoMajor)
	}
	return resp, err
}

// encodePath returns the URL's path as it goes out: the base, which is escaped
// already, and the rule's segments, every value escaped.
func (r *rule) encodePath(base string, msg protoreflect.Message) (string, error) {
	var b strings.Builder
	b.Grow(len(base) + 96)
	b.WriteString(base)
	for i := range r.Path {
		s := &r.Path[i]
		b.WriteByte('/')
		if s.Field == nil {
			b.WriteString(s.Literal)
			continue
		}
		v := msg.Get(s.Field).String()
		// A dot segment would be another resource's path, escaped or not (RFC 3986,
		// 5.2.4 and 6.2.2.2), and so would a slash: Diga decodes a path before it
		// splits it.
		if v == "" || v == "." || v == ".." || strings.Contains(v, "/") {
			return "", apierror.InvalidRequest(apierror.Violation{
				Field:       string(s.Field.Name()),
				Description: "must be an id, not empty, not a dot segment and without a slash",
				Reason:      "VALUE_ERROR",
			})
		}
		b.WriteString(url.PathEscape(v))
		b.WriteString(s.Suffix)
	}
	return b.String(), nil
}

func (r *rule) encodeQuery(msg protoreflect.Message) (string, error) {
	var b []byte
	for _, fd := range r.Query {
		if !msg.Has(fd) {
			continue
		}
		v := msg.Get(fd)
		if fd.Kind() == protoreflect.EnumKind && v.Enum() == 0 {
			continue // unspecified
		}
		text, err := digajson.AppendText(nil, fd, v)
		if err != nil {
			return "", validate.Refusal(err, (*digajson.Error).Field)
		}
		if len(b) > 0 {
			b = append(b, '&')
		}
		b = append(b, fd.Name()...)
		b = append(b, '=')
		b = append(b, url.QueryEscape(string(text))...)
	}
	return string(b), nil
}
