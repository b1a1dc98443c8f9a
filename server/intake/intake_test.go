package intake

import (
	"context"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
)

// source is a transport's stream from which a message arrives as often as it says.
type source struct {
	grpc.ServerTransportStream
	text  string
	times int
	rest  []byte // of the message under way
}

// sourceStream is the stream that a handler has of a source.
type sourceStream struct {
	grpc.ServerStream
	source grpc.ServerTransportStream
}

func (s sourceStream) Context() context.Context {
	return grpc.NewContextWithServerTransportStream(context.Background(), s.source)
}

func (s *source) RecvCompress() string { return "" }

func (s *source) ReadMessageHeader(header []byte) error {
	if s.times == 0 {
		return io.EOF
	}
	s.times--
	b, err := proto.Marshal(wrapperspb.String(s.text))
	if err != nil {
		return err
	}
	header[0] = 0
	binary.BigEndian.PutUint32(header[1:], uint32(len(b)))
	s.rest = b
	return nil
}

func (s *source) Read(n int) (mem.BufferSlice, error) {
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// streaming is a stream of any number of the client's messages.
var streaming = &grpc.StreamServerInfo{IsClientStream: true}

func TestStream_MemoryOfItsWindow_IsHeldUntilItEnds(t *testing.T) {
	i := New(Bounds{MaxMessage: 1 << 20, Memory: budget.NewMemory(1 << 20), StreamWindow: 3})
	src := &source{text: strings.Repeat("a", 10_000), times: 10}
	err := i.StreamInterceptor(nil, sourceStream{source: src}, streaming, func(_ any, ss grpc.ServerStream) error {
		for n := range 10 {
			if err := ss.RecvMsg(new(wrapperspb.StringValue)); err != nil {
				return err
			}
			if want := int64(min(n+1, 3)) * 2 * 10_003; i.Memory.Load().Taken != want {
				t.Errorf("after %d messages: %d bytes are taken, want %d", n+1, i.Memory.Load().Taken, want)
			}
		}
		return nil
	})
	if err != nil || i.Memory.Load().Taken != 0 {
		t.Errorf("after the stream: %d bytes are taken, %v", i.Memory.Load().Taken, err)
	}
}

// A handler may return while a message is received.
func TestStream_MessageAfterTheEnd_TakesNoMemory(t *testing.T) {
	i := New(Bounds{MaxMessage: 1 << 20, Memory: budget.NewMemory(1 << 20), StreamWindow: 3})
	src := &source{text: strings.Repeat("a", 10_000), times: 10}
	var left grpc.ServerStream
	if err := i.StreamInterceptor(nil, sourceStream{source: src}, streaming, func(_ any, ss grpc.ServerStream) error { left = ss; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := left.RecvMsg(new(wrapperspb.StringValue)); err != nil || i.Memory.Load().Taken != 0 {
		t.Errorf("%d bytes are taken, %v", i.Memory.Load().Taken, err)
	}
}

func TestDecode_MessageAsLargeAsTheBound_IsTakenAndOneByteMoreIsNot(t *testing.T) {
	message := wrapperspb.String(strings.Repeat("a", 2000))
	i := New(Bounds{MaxMessage: proto.Size(message), Memory: budget.NewMemory(1 << 20), StreamWindow: 1})
	src := &source{text: message.GetValue(), times: 2}
	receive := func() (err error) {
		return i.StreamInterceptor(nil, sourceStream{source: src}, streaming, func(_ any, ss grpc.ServerStream) error { return ss.RecvMsg(new(wrapperspb.StringValue)) })
	}
	if err := receive(); err != nil {
		t.Errorf("as large: %v", err)
	}
	src.text += "a"
	if err := receive(); apierror.FromError(err).Reason != apierror.ReasonRequestTooLarge {
		t.Errorf("a byte more: %v", err)
	}
}

// Some clients hear nothing before they have sent all, and what they send must take no
// memory.
func TestReceive_MessageThatIsTooLarge_IsReadInPartsUpToABound(t *testing.T) {
	const most = 100_000
	i := New(Bounds{MaxMessage: most, Memory: budget.NewMemory(1 << 20)})
	for _, c := range []struct {
		flag       byte
		size, read int
	}{
		{0, most + 1, most + 1}, {0, 4 * most, 4 * most}, {0, 4*most + 1, 0}, {0, 1 << 31, 0},
		{compressed, 2*most + 1, 2*most + 1}, {compressed, 4*most + 1, 0},
	} {
		src := &largeMessage{flag: c.flag, size: c.size}
		err := i.StreamInterceptor(nil, sourceStream{source: src}, new(grpc.StreamServerInfo), func(_ any, ss grpc.ServerStream) error { return ss.RecvMsg(new(wrapperspb.StringValue)) })
		if apierror.FromError(err).Reason != apierror.ReasonRequestTooLarge || src.read != c.read || src.longest > 64<<10 {
			t.Errorf("of %d bytes, %d were read, %d at once: %v", c.size, src.read, src.longest, err)
		}
	}
}

// largeMessage is a transport's stream with one large message.
type largeMessage struct {
	grpc.ServerTransportStream
	flag          byte
	size          int
	begun         bool
	read, longest int
}

func (m *largeMessage) RecvCompress() string { return "gzip" }

func (m *largeMessage) ReadMessageHeader(header []byte) error {
	if m.begun {
		return io.EOF
	}
	m.begun = true
	header[0] = m.flag
	binary.BigEndian.PutUint32(header[1:], uint32(m.size))
	return nil
}

func (m *largeMessage) Read(n int) (mem.BufferSlice, error) {
	m.read += n
	m.longest = max(m.longest, n)
	return nil, nil
}

func TestService_RefusedRequest_PassesTheInterceptorsAndTakesNothing(t *testing.T) {
	i := New(Bounds{MaxMessage: 100, Memory: budget.NewMemory(1 << 20)})
	src := &source{text: strings.Repeat("a", 200), times: 1}
	desc := i.Service(&grpc.ServiceDesc{ServiceName: "x.Y", Methods: []grpc.MethodDesc{{
		MethodName: "Z",
		Handler: func(_ any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			in := new(wrapperspb.StringValue)
			if err := receive(in); err != nil {
				return nil, err
			}
			return interceptor(ctx, in, &grpc.UnaryServerInfo{}, func(context.Context, any) (any, error) { return in, nil })
		},
	}}})
	seen := 0
	interceptor := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if seen++; info.FullMethod != "/x.Y/Z" && req == nil {
			t.Errorf("method %q", info.FullMethod)
		}
		return handler(ctx, req)
	}
	_, err := desc.Methods[0].Handler(nil, sourceStream{source: src}.Context(), nil, interceptor)
	if apierror.FromError(err).Reason != apierror.ReasonRequestTooLarge || seen != 1 || i.Memory.Load().Taken != 0 {
		t.Errorf("got %v, passed %d times, %d bytes are taken", err, seen, i.Memory.Load().Taken)
	}
	src.text, src.times = "a", 1
	if _, err := desc.Methods[0].Handler(nil, sourceStream{source: src}.Context(), nil, interceptor); err != nil || seen != 2 {
		t.Errorf("after it: %v, passed %d times", err, seen)
	}
}

// The reason is that of a body that breaks off over REST.
func TestLost_MessageThatBreaksOff_IsAnIncompleteBody(t *testing.T) {
	e := apierror.FromError(lost(io.ErrUnexpectedEOF))
	if len(e.Violations) != 1 || e.Violations[0].Reason != "BODY_INCOMPLETE" {
		t.Errorf("got %+v", e.Violations)
	}
}

// Nobody but Diga needs the values of a message that is forwarded.
func TestReceive_ForwardedMessage_HasJSONInPlaceOfValues(t *testing.T) {
	sent := &integrationv1.CopyTemplateRequest{Name: new("n"), Variables: &structpb.Struct{Fields: map[string]*structpb.Value{"b": structpb.NewNumberValue(1), "a": structpb.NewStringValue("x")}}}
	data, err := proto.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	for _, forwarded := range []bool{false, true} {
		i := New(Bounds{Forwarded: func(md protoreflect.MessageDescriptor) bool {
			return forwarded && md == sent.ProtoReflect().Descriptor()
		}})
		want := sent
		if forwarded {
			want = &integrationv1.CopyTemplateRequest{Name: new("n"), VariablesJson: new(`{"a":"x","b":1}`)}
		}
		got := new(integrationv1.CopyTemplateRequest)
		if err := i.decode(mem.BufferSlice{mem.SliceBuffer(data)}, false, &message{ctx: t.Context(), proto: got}); err != nil || !proto.Equal(got, want) {
			t.Errorf("forwarded %v: %v, %v", forwarded, got, err)
		}
	}
}

// A caller may leave many responses unread.
func TestCodec_LargeResponse_TakesNoMoreMemoryThanItHasBytes(t *testing.T) {
	c := newCodec()
	for _, size := range []int{10, 5000, largestPooled, largestPooled + 1, 200 << 10} {
		data, err := c.Marshal(wrapperspb.String(strings.Repeat("a", size)))
		if err != nil {
			t.Fatal(err)
		}
		taken := 0
		for _, b := range data {
			taken += cap(b.ReadOnlyData())
		}
		if data.Len() < size || size > largestPooled && taken > data.Len()*5/4 {
			t.Errorf("a response of %d bytes takes %d", data.Len(), taken)
		}
		back := new(wrapperspb.StringValue)
		if err := c.Unmarshal(data, back); err != nil || len(back.GetValue()) != size {
			t.Errorf("%d bytes came back, %v", len(back.GetValue()), err)
		}
		data.Free()
	}
}
