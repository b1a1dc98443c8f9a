package inproc

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var _ grpc.ServiceRegistrar = (*Channel)(nil)

// Options are the interceptors of a channel. The first one in a list is the outermost, as
// in grpc.ChainUnaryInterceptor.
type Options struct {
	Unary  []grpc.UnaryServerInterceptor
	Stream []grpc.StreamServerInterceptor
}

// Channel calls the services that are registered with it. All services must be registered
// before the first call. After that, a Channel is safe for concurrent use. It needs no
// closing.
type Channel struct {
	unary    grpc.UnaryServerInterceptor
	stream   grpc.StreamServerInterceptor
	services map[string]struct{}
	methods  map[string]method // by full name, "/package.Service/Method"
}

// method is one registered method; exactly one of unary and stream is set.
type method struct {
	impl   any
	unary  *grpc.MethodDesc
	stream *grpc.StreamDesc
}

// New returns a Channel without services.
func New(o Options) *Channel {
	return &Channel{
		unary:    chainUnary(o.Unary),
		stream:   chainStream(o.Stream),
		services: make(map[string]struct{}),
		methods:  make(map[string]method),
	}
}

// RegisterService registers impl as the implementation of desc. It panics if the service
// is already registered or impl does not implement its interface: both are programming
// errors, and the signature has no error.
func (c *Channel) RegisterService(desc *grpc.ServiceDesc, impl any) {
	if impl != nil && desc.HandlerType != nil {
		want := reflect.TypeOf(desc.HandlerType).Elem()
		if got := reflect.TypeOf(impl); !got.Implements(want) {
			panic(fmt.Sprintf("inproc: register %s: %v does not implement %v", desc.ServiceName, got, want))
		}
	}
	if _, ok := c.services[desc.ServiceName]; ok {
		panic(fmt.Sprintf("inproc: register %s: already registered", desc.ServiceName))
	}
	c.services[desc.ServiceName] = struct{}{}

	prefix := "/" + desc.ServiceName + "/"
	for i := range desc.Methods {
		c.methods[prefix+desc.Methods[i].MethodName] = method{impl: impl, unary: &desc.Methods[i]}
	}
	for i := range desc.Streams {
		c.methods[prefix+desc.Streams[i].StreamName] = method{impl: impl, stream: &desc.Streams[i]}
	}
}

// lookup returns the method with a full name. Its errors are those of a grpc-go server.
func (c *Channel) lookup(fullName string) (method, error) {
	if m, ok := c.methods[fullName]; ok {
		return m, nil
	}
	name, rooted := strings.CutPrefix(fullName, "/")
	slash := strings.LastIndexByte(name, '/')
	if !rooted || slash < 0 {
		return method{}, status.Errorf(codes.Unimplemented, "malformed method name: %q", fullName)
	}
	service, rpc := name[:slash], name[slash+1:]
	if _, ok := c.services[service]; !ok {
		return method{}, status.Errorf(codes.Unimplemented, "unknown service %s", service)
	}
	return method{}, status.Errorf(codes.Unimplemented, "unknown method %s for service %s", rpc, service)
}

// chainUnary combines interceptors into one. It returns nil if there are none.
func chainUnary(list []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	if len(list) == 0 {
		return nil
	}
	outer, inner := list[0], chainUnary(list[1:])
	if inner == nil {
		return outer
	}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return outer(ctx, req, info, func(ctx context.Context, req any) (any, error) {
			return inner(ctx, req, info, handler)
		})
	}
}

// chainStream combines interceptors into one. It returns nil if there are none.
func chainStream(list []grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	if len(list) == 0 {
		return nil
	}
	outer, inner := list[0], chainStream(list[1:])
	if inner == nil {
		return outer
	}
	return func(impl any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		return outer(impl, stream, info, func(impl any, stream grpc.ServerStream) error {
			return inner(impl, stream, info, handler)
		})
	}
}
