package server

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/tap"
)

// longestCall is how long a call without a deadline may take, from its first
// byte to the last of its answer.
func (s *Server) longestCall() time.Duration {
	return s.cfg.ReadTimeout + s.cfg.UpstreamTimeout + s.cfg.WriteTimeout
}

// inTime gives a unary call without a deadline one, and one with a deadline far
// away a nearer one: a caller may open it and then send nothing, or wait for ever
// for what does not come. The contract's streams have bounds of their own.
func (s *Server) inTime(next tap.ServerInHandle) tap.ServerInHandle {
	longest := s.longestCall()
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		ctx, err := next(ctx, info)
		if err != nil {
			return ctx, err
		}
		if m := s.contract.Method(info.FullMethodName); m == nil || !m.Unary {
			return ctx, nil
		}
		var cancel context.CancelFunc // it ends with the stream's context, that it is made of
		if deadline, ok := ctx.Deadline(); !ok {
			ctx, cancel = context.WithTimeout(ctx, longest)
			ctx = unhurried{ctx}
		} else if time.Until(deadline) > s.cfg.MaxDeadline {
			ctx, cancel = context.WithTimeout(ctx, s.cfg.MaxDeadline)
		}
		_ = cancel
		return ctx, nil
	}
}

// unhurried is a context that ends at a time which is not its caller's deadline:
// it does not show it, so that nobody budgets with it.
type unhurried struct{ context.Context }

func (unhurried) Deadline() (time.Time, bool) { return time.Time{}, false }

type stallListener struct {
	net.Listener
	timeout time.Duration
}

func (l *stallListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &stallConn{Conn: c, timeout: l.timeout}, nil
}

// stallChunk is how much has to be taken within the timeout, in bytes.
const stallChunk = 64 << 10

// stallConn is a connection that fails when a write makes no progress for the
// timeout. A deadline that is set on it holds as well.
type stallConn struct {
	net.Conn
	timeout  time.Duration
	deadline atomic.Pointer[time.Time]
}

func (c *stallConn) SetWriteDeadline(t time.Time) error {
	c.deadline.Store(&t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *stallConn) SetDeadline(t time.Time) error {
	c.deadline.Store(&t)
	return c.Conn.SetDeadline(t)
}

func (c *stallConn) Write(p []byte) (written int, err error) {
	for first := true; first || len(p) > 0; first = false {
		until := time.Now().Add(c.timeout)
		if set := c.deadline.Load(); set != nil && !set.IsZero() && set.Before(until) {
			until = *set
		}
		if err := c.Conn.SetWriteDeadline(until); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[:min(len(p), stallChunk)])
		written += n
		if err != nil {
			return written, err
		}
		p = p[n:]
	}
	return written, nil
}
