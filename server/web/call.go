package web

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/inproc"
)

// conn receives and sends the messages of a call. It is connect-go's stream or a
// [unaryConn].
type conn interface {
	Receive(any) error
	Send(any) error
	ResponseHeader() http.Header
	ResponseTrailer() http.Header
}

// call is one call: its incoming messages, and the stream of its responses.
type call struct {
	channel Channel
	method  *method
	ctx     context.Context
	json    bool
	body    *body
	begun   bool  // the call reached its service
	err     error // the error with which the call ended

	conn    conn
	message []byte // the rest of the current message
}

var (
	_ inproc.Arrival    = (*call)(nil)
	_ grpc.ServerStream = (*call)(nil)
)

type callKey struct{}

// call serves a request to a method. It returns an error if the call failed.
func (h *Handler) call(ctx context.Context, w http.ResponseWriter, r *http.Request, m *method, p protocol) error {
	c := &call{channel: h.Channel, method: m, json: p.json}
	c.ctx = metadata.NewIncomingContext(withPreference(ctx, r), metadataOf(r.Header))
	out := newResponse(w, h.Stall)
	defer out.end()
	c.body = &body{ReadCloser: r.Body, ctx: ctx, limit: h.MaxMessage, memory: h.Memory(ctx)}
	if out.begin(ctx, h.ReadTimeout, m.receives()); !m.receives() {
		c.body.arrived = out.arrived
	}
	defer func() { _ = c.body.end() }()
	// connect-go must not see the deadline, because its own error for it has no outcome.
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	r.Header = withoutTimeout(r.Header)
	r.Body = c.body
	if m.unary != nil && p.name == exchange.Connect {
		m.unary.ServeHTTP(out, r)
	} else {
		m.enveloped.ServeHTTP(out, r)
	}
	if c.begun {
		return c.err
	}
	if refused := c.body.end(); refused != nil {
		return refused
	}
	return notGzip() // see [asIs]
}

// carry passes a call to its service. Its error is connect-go's.
func carry(ctx context.Context, conn conn) error {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return connect.NewError(connect.CodeInternal, errors.New("web: the request is no call"))
	}
	c.conn, c.begun = conn, true
	if ended := c.ctx.Err(); ended != nil {
		c.err = apierror.NotBegun(ended)
	} else {
		c.err = c.channel.Carry(c.ctx, c.method.name, c, c)
	}
	if c.err != nil {
		return wireError(c.err)
	}
	return nil
}

// ReadMessageHeader implements [inproc.Arrival].
func (c *call) ReadMessageHeader(header []byte) error {
	c.body.next()
	f := new(frame)
	switch err := c.conn.Receive(f); {
	case err == nil:
	case errors.Is(err, io.EOF):
		return io.EOF
	default:
		return lost(err)
	}
	header[0], c.message = 0, f.request
	if strings.HasPrefix(string(f.request[:min(len(gzipMagic), len(f.request))]), gzipMagic) {
		header[0] = 1
	}
	binary.BigEndian.PutUint32(header[1:], uint32(len(f.request)))
	return nil
}

// Read implements [inproc.Arrival].
func (c *call) Read(n int) (mem.BufferSlice, error) {
	if n > len(c.message) {
		return nil, io.ErrUnexpectedEOF
	}
	part := c.message[:n]
	c.message = c.message[n:]
	return mem.BufferSlice{mem.SliceBuffer(part)}, nil
}

// RecvCompress implements [inproc.Arrival].
func (*call) RecvCompress() string { return encodingGzip }

// JSON implements [inproc.Arrival].
func (c *call) JSON() bool { return c.json }

// Context implements [grpc.ServerStream].
func (c *call) Context() context.Context { return c.ctx }

// RecvMsg implements [grpc.ServerStream]. It is not used: services receive through
// [inproc.Arrival].
func (*call) RecvMsg(m any) error {
	return status.Errorf(codes.Internal, "web: cannot receive into %T", m)
}

// SendMsg implements [grpc.ServerStream].
func (c *call) SendMsg(m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "web: cannot send %T", m)
	}
	if err := c.conn.Send(&frame{response: msg}); err != nil {
		return status.Error(codes.Canceled, fmt.Sprintf("the client takes no more: %v", err))
	}
	return nil
}

// SetHeader implements [grpc.ServerStream].
func (c *call) SetHeader(md metadata.MD) error { return c.SendHeader(md) }

// SendHeader implements [grpc.ServerStream]. The header is sent with the first message.
func (c *call) SendHeader(md metadata.MD) error {
	addMetadata(c.conn.ResponseHeader(), md)
	return nil
}

// SetTrailer implements [grpc.ServerStream].
func (c *call) SetTrailer(md metadata.MD) { addMetadata(c.conn.ResponseTrailer(), md) }

// unaryConn is the conn of a unary Connect call, whose request has arrived.
type unaryConn struct {
	request, response *frame
	header, trailer   http.Header
}

var errNoMore = errors.New("web: the call has one response")

// Receive implements [conn].
func (u *unaryConn) Receive(into any) error {
	f, ok := into.(*frame)
	if !ok || u.request == nil {
		return io.EOF
	}
	*f, u.request = *u.request, nil
	return nil
}

// Send implements [conn].
func (u *unaryConn) Send(m any) error {
	f, ok := m.(*frame)
	if !ok || u.response != nil {
		return errNoMore
	}
	u.response = f
	return nil
}

// ResponseHeader implements [conn].
func (u *unaryConn) ResponseHeader() http.Header { return u.header }

// ResponseTrailer implements [conn].
func (u *unaryConn) ResponseTrailer() http.Header { return u.trailer }
