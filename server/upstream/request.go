package upstream

import (
	"context"
	"errors"
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

// newRequest builds Diga's HTTP request from a message. If a value cannot be sent, it
// returns an [apierror.Error] that names the field: the caller must change it.
func (c *Client) newRequest(r *rule, credential string, m proto.Message) (wire.Request, error) {
	target, err := r.encodeTarget(c.basePath, m.ProtoReflect())
	if err != nil {
		return wire.Request{}, err
	}
	req := wire.Request{Verb: r.Verb, Target: target, Header: append(make([]wire.Field, 0, 5),
		wire.Field{Name: "Accept", Value: mediaJSON},
		wire.Field{Name: "Accept-Encoding", Value: "identity"},
		wire.Field{Name: "Authorization", Value: "Bearer " + credential},
	)}
	if r.Body != nil {
		if req.Body, err = r.Body.AppendChecked(make([]byte, 0, 512), m); err != nil {
			return wire.Request{}, validate.Refusal(err, (*digajson.Error).Field)
		}
		if int64(len(req.Body)) > c.maxRequest {
			return wire.Request{}, apierror.RequestTooLarge(c.maxRequest)
		}
		req.Header = append(req.Header, wire.Field{Name: "Content-Type", Value: mediaJSON})
	}
	req.Header = append(req.Header, wire.Field{Name: "User-Agent", Value: c.userAgent})
	return req, nil
}

const mediaJSON = "application/json"

// roundTrip makes the HTTP exchange of a request.
func (c *Client) roundTrip(ctx context.Context, r *wire.Request, track *wire.Tracker) (*http.Response, error) {
	direct := c.direct.Load()
	if direct.Takes(r.Verb, r.Body) {
		resp, err := direct.RoundTrip(ctx, r, track)
		if !errors.Is(err, wire.ErrHTTP2) {
			return resp, err
		}
	}
	req, err := r.HTTP(track.Context(ctx, c.conns), c.scheme, c.host)
	if err != nil {
		return nil, err
	}
	resp, err := c.transport.Load().RoundTrip(req)
	if err == nil {
		direct.Learn(resp.ProtoMajor)
		if resp.Close {
			track.Last()
		}
	}
	return resp, err
}

// encodeTarget returns the encoded path and query.
func (r *rule) encodeTarget(base string, msg protoreflect.Message) (string, error) {
	path, err := r.encodePath(base, msg)
	if err != nil || len(r.Query) == 0 {
		return path, err
	}
	query, err := r.encodeQuery(msg)
	if err != nil || query == "" {
		return path, err
	}
	return path + "?" + query, nil
}

// encodePath returns the encoded path: the base, which is already escaped, and the rule's
// segments with every value escaped.
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
		// A dot segment, escaped or not, would lead to another resource (RFC 3986, 5.2.4
		// and 6.2.2.2). So would a slash, because Diga decodes a path before it splits
		// it.
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
			continue // unspecified value
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
