package server

import (
	"context"
	"time"

	"github.com/digate/digate/server/contract"
)

// defaultDeadline returns how long a call without a deadline may take, from its first
// byte to the last byte of its response.
func (s *Server) defaultDeadline() time.Duration {
	return s.cfg.ReadTimeout + s.cfg.Upstream.Timeout + s.cfg.WriteTimeout
}

// boundDeadline returns the call's context with the server's limit on its duration. A
// caller may open a call and then send nothing, so a unary call without a deadline gets a
// hidden one, and a deadline beyond --max-deadline becomes --max-deadline. The contract's
// streams have other limits. A method that needs no credential has a limit of its own.
func (s *Server) boundDeadline(ctx context.Context, method string) context.Context {
	bound := s.cfg.MaxDeadline
	deadline, ok := ctx.Deadline()
	switch m := s.contract.Method(method); {
	case contract.Open(method):
		bound = maxOpenDuration(method)
	case m == nil || !m.Unary:
		return ctx
	case !ok:
		bound = s.defaultDeadline()
	case time.Until(deadline) <= bound:
		return ctx
	}
	limited, cancel := context.WithTimeout(ctx, bound)
	_ = cancel // not called: the stream's context, its parent, ends it
	if !ok {
		return hiddenDeadline{limited}
	}
	return limited
}

// hiddenDeadline expires but reports no deadline: the limit is the server's, and code
// that divides the caller's time must not see it.
type hiddenDeadline struct{ context.Context }

func (hiddenDeadline) Deadline() (time.Time, bool) { return time.Time{}, false }
