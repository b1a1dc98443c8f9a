package gateway

import (
	"context"
	"net/url"

	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson"
)

// channel sets a request's fields that stand in the query before it sends the
// call on. grpc-gateway would read them in protobuf's dialect, and keep of an
// error its text alone; so it is given no query, and what it would do is done
// here.
type channel struct {
	grpc.ClientConnInterface
	routes *routes
}

// Invoke implements [grpc.ClientConnInterface].
func (c channel) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	if r := c.routes.byName[method]; r != nil && len(r.inQuery) > 0 {
		if err := r.setQuery(stateFromContext(ctx).query, args.(proto.Message).ProtoReflect()); err != nil {
			return err
		}
	}
	return c.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
}

// setQuery reads the parameters that the contract knows. Of one that is given
// twice the last counts, and one that it does not know is ignored, as the vendor
// does.
func (r *route) setQuery(query url.Values, m protoreflect.Message) error {
	for _, fd := range r.inQuery {
		values := query[string(fd.Name())]
		if len(values) == 0 {
			continue
		}
		v, err := digajson.ParseText(fd, values[len(values)-1])
		if err != nil {
			return refusal(err)
		}
		m.Set(fd, v)
	}
	return nil
}

// noQuery is what grpc-gateway has for a query parser, which is one for the
// whole process.
type noQuery struct{}

// Parse implements [runtime.QueryParameterParser].
func (noQuery) Parse(proto.Message, url.Values, *utilities.DoubleArray) error { return nil }
