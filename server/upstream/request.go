package upstream

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
)

// Header values that every request shares; net/http only reads them.
var (
	headerJSON     = []string{"application/json"}
	headerIdentity = []string{"identity"}
)

// newRequest turns a message into the vendor's HTTP request. What cannot be
// said is the caller's mistake: an [apierror.Error] that names the field.
func (c *Client) newRequest(r *rule, credential string, m proto.Message) (*http.Request, error) {
	msg := m.ProtoReflect()
	u := c.base // a copy
	plain, escaped, err := r.appendPath(c.basePath, c.baseEscaped, msg)
	if err != nil {
		return nil, err
	}
	u.Path = plain
	if escaped != plain {
		u.RawPath = escaped
	} else {
		u.RawPath = ""
	}
	if len(r.query) > 0 {
		if u.RawQuery, err = r.encodeQuery(msg); err != nil {
			return nil, err
		}
	}
	req := &http.Request{
		Method: r.verb, URL: &u, Host: u.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Accept":          headerJSON,
			"Accept-Encoding": headerIdentity,
			"User-Agent":      c.userAgent,
			"Authorization":   {"Bearer " + credential},
		},
	}
	if r.body == nil {
		return req, nil
	}
	target := m
	if r.bodyField != nil {
		target = msg.Get(r.bodyField).Message().Interface()
	}
	body, err := r.body.AppendRequest(make([]byte, 0, 512), target)
	if err != nil {
		return nil, invalid(err)
	}
	if int64(len(body)) > c.maxRequest {
		return nil, apierror.RequestTooLarge(c.maxRequest)
	}
	req.Header["Content-Type"] = headerJSON
	// A body that net/http knows to be in memory goes out in one write with the
	// header. GetBody stays nil, so that net/http never sends it again.
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.ContentLength = int64(len(body))
	return req, nil
}

// appendPath returns the URL's path below the base, as it reads and as it goes
// out, every value escaped.
func (r *rule) appendPath(base, baseEscaped string, msg protoreflect.Message) (plain, escaped string, err error) {
	var p, e strings.Builder
	p.Grow(len(base) + 96)
	e.Grow(len(baseEscaped) + 96)
	p.WriteString(base)
	e.WriteString(baseEscaped)
	for i := range r.path {
		s := &r.path[i]
		p.WriteByte('/')
		e.WriteByte('/')
		if s.field == nil {
			p.WriteString(s.literal)
			e.WriteString(s.literal)
			continue
		}
		v := msg.Get(s.field).String()
		// A dot segment would be another resource's path, escaped or not
		// (RFC 3986, 5.2.4 and 6.2.2.2).
		if v == "" || v == "." || v == ".." {
			return "", "", apierror.InvalidRequest(apierror.Violation{
				Field:       string(s.field.Name()),
				Description: "must be an id, not empty and not a dot segment",
				Reason:      "VALUE_ERROR",
			})
		}
		p.WriteString(v)
		p.WriteString(s.suffix)
		e.WriteString(url.PathEscape(v))
		e.WriteString(s.suffix)
	}
	return p.String(), e.String(), nil
}

func (r *rule) encodeQuery(msg protoreflect.Message) (string, error) {
	var b []byte
	for _, q := range r.query {
		if !msg.Has(q.field) {
			continue
		}
		text, err := digajson.AppendText(nil, q.field, msg.Get(q.field))
		if err != nil {
			return "", invalid(err)
		}
		if len(b) > 0 {
			b = append(b, '&')
		}
		b = append(b, q.name...)
		b = append(b, '=')
		b = append(b, url.QueryEscape(string(text))...)
	}
	return string(b), nil
}
