// Package responsesize keeps the responses to gRPC callers within a size that they take.
//
// Client libraries refuse a message that is larger than their bound, 4 MiB in most,
// with a status of their own: the caller of a copy that was made would hear of a
// failure. A write's response therefore loses its largest fields and keeps its id. A read
// fails instead, because its caller asks for the fields.
package responsesize

import (
	"context"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
)

// Bound is the bound on responses.
type Bound struct {
	// Bytes is the size of the largest response.
	Bytes    int64
	Contract *contract.Contract
}

// FitUnary fits the response of a unary call. It belongs behind all that could make the
// response larger.
func (b *Bound) FitUnary(ctx context.Context, method string, resp any, err error) (any, error) {
	m, ok := resp.(proto.Message)
	if err != nil || !ok || b.fits(m) {
		return resp, err
	}
	omitted := new(omissions)
	fitting, err := b.fitResponse(method, m, omitted)
	if err != nil {
		return nil, err
	}
	if names := omitted.note(ctx); names != "" {
		_ = grpc.SetTrailer(ctx, metadata.Pairs(contract.OmittedKey, names))
	}
	return fitting, nil
}

// FitStream is FitUnary for streams: every message of a stream is bounded, and its
// trailer names what was omitted in any of them.
func (b *Bound) FitStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	f := &fittingStream{ServerStream: ss, bound: b, method: info.FullMethod}
	err := handler(srv, f)
	if names := f.omitted.note(ss.Context()); names != "" {
		ss.SetTrailer(metadata.Pairs(contract.OmittedKey, names))
	}
	return err
}

type fittingStream struct {
	grpc.ServerStream
	bound   *Bound
	method  string
	omitted omissions
}

func (f *fittingStream) SendMsg(v any) error {
	if m, ok := v.(proto.Message); ok && !f.bound.fits(m) {
		fitting, err := f.bound.fitResponse(f.method, m, &f.omitted)
		if err != nil {
			return err
		}
		v = fitting
	}
	return f.ServerStream.SendMsg(v)
}

// fits reports whether a response is within the bound.
func (b *Bound) fits(m proto.Message) bool {
	return int64(proto.Size(m)) <= b.Bytes
}

// fitResponse returns a copy of a response that is too large, with as few fields
// omitted as make it fit. The response itself may be another caller's too.
func (b *Bound) fitResponse(method string, m proto.Message, omitted *omissions) (proto.Message, error) {
	tooLarge := apierror.ResponseTooLarge(int64(proto.Size(m)), b.Bytes)
	if described := b.Contract.Method(method); described == nil || !described.Write {
		return nil, tooLarge
	}
	m = proto.Clone(m)
	for !b.fits(m) {
		path := omitLargest(m.ProtoReflect())
		if path == nil {
			return nil, tooLarge
		}
		omitted.add(strings.Join(path, "."))
	}
	return m, nil
}

// omitLargest clears the largest field of a message and returns its path, nil where
// nothing may be omitted. A message that has an id is no field to be cleared: its
// own fields may be, all but the id.
func omitLargest(m protoreflect.Message) []string {
	var holder protoreflect.Message
	var path []string
	largest := 0
	var visit func(m protoreflect.Message, above []string)
	visit = func(m protoreflect.Message, above []string) {
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			here := append(slices.Clip(above), string(fd.Name()))
			switch {
			case isIdentity(fd):
			case hasIdentity(fd):
				visit(v.Message(), here)
			default:
				if n := fieldSize(m, fd, v); n > largest {
					holder, path, largest = m, here, n
				}
			}
			return true
		})
	}
	visit(m, nil)
	if holder == nil {
		return nil
	}
	holder.Clear(holder.Descriptor().Fields().ByName(protoreflect.Name(path[len(path)-1])))
	return path
}

// isIdentity reports whether a field says which thing or call a message is about.
func isIdentity(fd protoreflect.FieldDescriptor) bool {
	return fd.Name() == "id" || fd.Name() == "request_id"
}

// hasIdentity reports whether a field is a message with an id, or a oneof of such.
func hasIdentity(fd protoreflect.FieldDescriptor) bool {
	if fd.Message() == nil || fd.IsList() || fd.IsMap() {
		return false
	}
	fields := fd.Message().Fields()
	if contract.ID(fd.Message()) != nil {
		return true
	}
	for i := range fields.Len() {
		alternative := fields.Get(i)
		if alternative.ContainingOneof() != nil && alternative.Message() != nil && contract.ID(alternative.Message()) != nil {
			return true
		}
	}
	return false
}

// fieldSize returns the size of a field of m in bytes, as encoded.
func fieldSize(m protoreflect.Message, fd protoreflect.FieldDescriptor, v protoreflect.Value) int {
	alone := m.New()
	alone.Set(fd, v)
	return proto.Size(alone.Interface())
}

// omissions are the paths of the fields that were omitted from the responses of a
// call. The zero value has none.
type omissions struct {
	mu    sync.Mutex
	paths []string
}

func (o *omissions) add(path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Contains(o.paths, path) {
		o.paths = append(o.paths, path)
	}
}

// note writes the paths into the call's exchange and returns them as the value of
// metadata, empty if nothing was omitted.
func (o *omissions) note(ctx context.Context) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.paths) == 0 {
		return ""
	}
	names := strings.Join(o.paths, ",")
	if ex := exchange.FromContext(ctx); ex != nil {
		ex.Omitted = names
	}
	return names
}
