package server

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/intake"
	"github.com/digate/digate/server/peers"
	"github.com/digate/digate/server/prefer"
)

// tapHandle returns the tap handle, which sees a call when its metadata has arrived and
// nothing of its message was read. It runs on the connection's I/O goroutine and holds
// the connection meanwhile, so nothing in it may wait. A call that is refused here costs
// neither a goroutine nor a stream.
func (s *Server) tapHandle() tap.ServerInHandle {
	next := s.telemetry.TapHandle(s.admit(s.refuseEarly(authn.TapHandle(s.authenticator, s.openMethods()))))
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		if p, ok := peer.FromContext(ctx); ok && contract.Own(info.FullMethodName) {
			peers.MarkAskedOfCopies(p.Addr)
		}
		admitted, err := next(ctx, info)
		if err == nil {
			return admitted, nil
		}
		if contract.Own(info.FullMethodName) {
			// The caller could read NOT_SENT as the outcome of the copy that the call
			// asks about.
			err = apierror.FromError(err).WithoutOutcome()
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) > refusalLifetime {
			return intake.Refuse(ctx, err), nil
		}
		return nil, err
	}
}

// openMethods returns a function that reports whether a method needs no credential, given the
// method's full gRPC name.
func (s *Server) openMethods() func(method string) bool {
	if s.cfg.OpenReflection {
		return contract.Open
	}
	return contract.Health
}

// refusalLifetime limits how long gRPC keeps data of a call that the tap handle refused:
// gRPC never stops the timer of the call's deadline, which may be years ahead. A call
// with a later deadline is refused by its handler instead.
const refusalLifetime = time.Second

// admit reserves a place for a call, and then limits its duration. It limits the duration
// last because a timer keeps the call and its metadata in memory, and a refused call must
// not have one. It also reads how long the caller is ready to wait.
func (s *Server) admit(next tap.ServerInHandle) tap.ServerInHandle {
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		ctx, err := next(ctx, info)
		if err != nil {
			return ctx, err
		}
		admitted, err := s.intake.Admit(ctx, info.FullMethodName)
		if err != nil {
			return ctx, err
		}
		return prefer.WithMetadata(s.boundDeadline(admitted, info.FullMethodName), info.Header), nil
	}
}

// refuseEarly refuses calls that gRPC would end without an outcome: a call whose metadata
// is too large, whose deadline has passed, or whose method name is malformed. The
// credential is checked before.
func (s *Server) refuseEarly(next tap.ServerInHandle) tap.ServerInHandle {
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		ctx, err := next(ctx, info)
		if err != nil {
			return ctx, err
		}
		if headerSize(info) > s.cfg.MaxHeaderBytes {
			return ctx, apierror.MetadataTooLarge(s.cfg.MaxHeaderBytes)
		}
		if name, ok := strings.CutPrefix(info.FullMethodName, "/"); !ok || !strings.Contains(name, "/") {
			return ctx, apierror.UnknownMethod()
		}
		if err := ctx.Err(); err != nil {
			return ctx, apierror.NotBegun(err)
		}
		return ctx, nil
	}
}

// fieldOverhead is the size in bytes that HTTP/2 adds for each metadata field, besides
// its name and value (RFC 9113, 6.5.2).
const fieldOverhead = 32

// headerSize returns the size of a call's metadata in bytes, as HTTP/2 counts it.
func headerSize(info *tap.Info) int {
	n := len(info.FullMethodName)
	for name, values := range info.Header {
		for _, v := range values {
			n += len(name) + len(v) + fieldOverhead
		}
	}
	return n
}

// minConnectionHeader is the size of metadata at which gRPC ends the connection and every
// call on it, because it can no longer decode later headers. It is far above
// --max-header-bytes, at which only the call is refused: behind a proxy, the other calls
// of the connection belong to other callers.
const minConnectionHeader = 1 << 20

// connectionHeader returns the size of metadata in bytes that ends a connection.
func (s *Server) connectionHeader() int { return max(minConnectionHeader, 4*s.cfg.MaxHeaderBytes) }
