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

// tapHandle sees a call when its metadata has arrived and nothing of its message
// was read. It runs on the connection's I/O goroutine, which holds the connection
// meanwhile: nothing in it may wait. A call that is refused here costs the server
// neither a goroutine nor a stream.
func (s *Server) tapHandle() tap.ServerInHandle {
	next := s.telemetry.TapHandle(s.admit(s.refuseEarly(authn.TapHandle(s.authenticator, s.open()))))
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		if p, ok := peer.FromContext(ctx); ok && contract.Own(info.FullMethodName) {
			peers.MarkAskedOfCopies(p.Addr)
		}
		admitted, err := next(ctx, info)
		if err == nil {
			return admitted, nil
		}
		if contract.Own(info.FullMethodName) {
			// NOT_SENT would be read as the fate of the copy that the call is about.
			err = apierror.FromError(err).WithoutOutcome()
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) > refusalLifetime {
			return intake.Refuse(ctx, err), nil
		}
		return nil, err
	}
}

// open returns what reports whether a method, by its full gRPC name, needs no
// credential.
func (s *Server) open() func(method string) bool {
	if s.cfg.OpenReflection {
		return contract.Open
	}
	return contract.Health
}

// refusalLifetime is how long what gRPC keeps of a call that the tap handle refused
// may live: it never stops the timer of the call's deadline, which callers may set to
// years. A call with a later deadline is refused by its handler.
const refusalLifetime = time.Second

// admit takes a place for a call, and then bounds its time: a timer holds the call
// and its metadata in memory, so a call that is refused must not have one. It notes how
// long the caller is ready to wait.
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

// refuseEarly refuses calls that gRPC would end without a verdict: one whose
// metadata is too large, whose deadline is over, or whose method has no name of
// gRPC's form. The credential comes first.
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

// fieldOverhead is what a field of metadata counts besides its name and value, in
// bytes (RFC 9113, 6.5.2).
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

// Beyond this size of metadata, gRPC ends the connection and every call on it,
// because it can no longer follow the compression of later headers. It is far
// above --max-header-bytes, beyond which the call alone is refused: behind a
// proxy the other calls of a connection are strangers'.
const minConnectionHeader = 1 << 20

// connectionHeader returns the size of metadata in bytes that ends a connection.
func (s *Server) connectionHeader() int { return max(minConnectionHeader, 4*s.cfg.MaxHeaderBytes) }
