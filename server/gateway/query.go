package gateway

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
)

// channel sets a request's fields that are in the query before it sends the
// call on. grpc-gateway would read them in protobuf's dialect, and keep of an
// error its text alone; so it is given no query, and what it would do is done
// here.
type channel struct {
	grpc.ClientConnInterface
	routes *routes
}

// Invoke implements [grpc.ClientConnInterface].
func (c channel) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	if r := c.routes.byName[method]; r != nil && len(r.Binding.Query) > 0 {
		if err := r.setQuery(stateFromContext(ctx).query, args.(proto.Message).ProtoReflect()); err != nil {
			return err
		}
	}
	return begun(ctx, c.ClientConnInterface.Invoke(ctx, method, args, reply, opts...))
}

// begun returns the error of a call to the service. A call that did not reach the
// service, because its context ended before or there is no such method, has an error
// without the details that the service's have.
func begun(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch s := status.Convert(err); {
	case len(s.Proto().GetDetails()) > 0:
		return err
	case s.Code() == codes.Unimplemented:
		return apierror.UnknownMethod()
	case ctx.Err() != nil:
		return apierror.NotBegun(ctx.Err())
	default:
		return err
	}
}

// parseQuery reads a query as Diga does, and not as net/url, which drops
// what it does not like: only & separates, of a name that is given twice the
// last value counts, and a percent sign that begins no escape is kept.
func parseQuery(raw string) map[string]string {
	if raw == "" {
		return nil
	}
	values := make(map[string]string)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		values[unescape(name)] = unescape(value)
	}
	return values
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 < len(s) {
				if b, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
					out = append(out, byte(b))
					i += 2
					continue
				}
			}
			out = append(out, c)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// setQuery reads the parameters that the contract knows; one that it does not
// know is ignored, as Diga does.
func (r *route) setQuery(query map[string]string, m protoreflect.Message) error {
	for _, fd := range r.Binding.Query {
		text, ok := query[string(fd.Name())]
		if !ok {
			continue
		}
		v, err := digajson.ParseText(fd, text)
		if err != nil {
			return refusal(err)
		}
		m.Set(fd, v)
	}
	return nil
}

// setQueryParser gives grpc-gateway a query parser that reads nothing. The parser
// is one for the whole process, so it is set once: gateways may be built while
// others serve.
var setQueryParser = sync.OnceFunc(func() { runtime.NewServeMux(runtime.SetQueryParameterParser(noQuery{})) })

type noQuery struct{}

// Parse implements [runtime.QueryParameterParser].
func (noQuery) Parse(proto.Message, url.Values, *utilities.DoubleArray) error { return nil }
