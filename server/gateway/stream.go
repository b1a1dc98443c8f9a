package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
)

// stream serves server-streaming methods over REST, as newline-delimited JSON: a line for
// each message, and a summary at the end.
type stream struct {
	channel Channel
	// stall is how long the client may read nothing while the response is written.
	stall time.Duration
}

// serve writes the response to a request for a stream. An error before the first message
// becomes the response. A later error becomes a line of the response.
func (s *stream) serve(w http.ResponseWriter, r *http.Request, route *route, values pathValues) error {
	req, err := newMessage(route.Descriptor.Input())
	if err != nil {
		return refuse(w, apierror.FromError(err))
	}
	route.Binding.SetPath(req.ProtoReflect(), values)
	if err := route.setQuery(parseQuery(r.URL.RawQuery), req.ProtoReflect()); err != nil {
		return route.fail(r.Context(), w, err)
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", contentTypeLines)
		return nil
	}
	out := &messageStream{ctx: r.Context(), request: req, w: w, lines: newLines(w, s.stall)}
	err = s.channel.Serve(r.Context(), route.FullName, out)
	err = completeError(r.Context(), err, out.request == nil)
	switch {
	case err != nil && !out.begun:
		return route.fail(r.Context(), w, err)
	case err != nil:
		out.lines.write(failure(0, "", err))
		return err
	}
	out.begin()
	out.lines.write(map[string]map[string]int64{"summary": {"items": out.items}})
	return nil
}

func newMessage(md protoreflect.MessageDescriptor) (proto.Message, error) {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName())
	if err != nil {
		return nil, err
	}
	return mt.New().Interface(), nil
}

// messageStream is the server side of one request's stream, for [Channel].Serve: RecvMsg
// returns the request, and SendMsg writes the lines of the response.
type messageStream struct {
	ctx     context.Context
	request proto.Message // nil after it was received
	w       http.ResponseWriter
	lines   *lines
	begun   bool
	items   int64
}

var _ grpc.ServerStream = (*messageStream)(nil)

// RecvMsg returns the request once, and then io.EOF.
func (s *messageStream) RecvMsg(m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "gateway: cannot receive into %T", m)
	}
	if s.request == nil {
		return io.EOF
	}
	proto.Merge(msg, s.request)
	s.request = nil
	return nil
}

// SendMsg writes the line of a message: an object with the one field of the message that
// is set. It waits while the client reads nothing, at most for the stall timeout.
func (s *messageStream) SendMsg(m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "gateway: cannot send %T", m)
	}
	c, err := digajson.Compile(msg.ProtoReflect().Descriptor())
	if err != nil {
		return err
	}
	text, err := c.AppendResponse(nil, msg)
	if err != nil {
		return err
	}
	s.begin()
	s.items++
	if s.lines.put(append(text, '\n')); s.lines.err != nil {
		return status.Error(codes.Canceled, fmt.Sprintf("the client takes no more: %v", s.lines.err))
	}
	return nil
}

// begin writes the status and header of the response, once.
func (s *messageStream) begin() {
	if s.begun {
		return
	}
	s.begun = true
	s.w.Header().Set("Content-Type", contentTypeLines)
	s.w.Header().Set("X-Content-Type-Options", "nosniff")
}

// Context implements [grpc.ServerStream].
func (s *messageStream) Context() context.Context { return s.ctx }

// SetHeader implements [grpc.ServerStream]. It does nothing: a stream has no metadata.
func (s *messageStream) SetHeader(metadata.MD) error { return nil }

// SendHeader implements [grpc.ServerStream].
func (s *messageStream) SendHeader(metadata.MD) error { return nil }

// SetTrailer implements [grpc.ServerStream].
func (s *messageStream) SetTrailer(metadata.MD) {}
