package server

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/digate/digate/server/contract"
)

// defaultDeadline returns how long a call without a deadline may take, from its
// first byte to the last byte of its response.
func (s *Server) defaultDeadline() time.Duration {
	return s.cfg.ReadTimeout + s.cfg.Upstream.Timeout + s.cfg.WriteTimeout
}

// boundDeadline returns the context of a call with the deadline that the server gives it.
// A unary call without a deadline gets a hidden one, and one beyond --max-deadline becomes
// --max-deadline: a caller may open a call and then send nothing. The contract's streams
// have bounds of their own. A call that needs no credential has a bound that is as tight
// as its method allows.
func (s *Server) boundDeadline(ctx context.Context, method string) context.Context {
	bound := s.cfg.MaxDeadline
	deadline, ok := ctx.Deadline()
	switch m := s.contract.Method(method); {
	case contract.Open(method):
		bound = openTime(method)
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

// hiddenDeadline expires but reports no deadline: the limit is the server's and
// must not be budgeted with.
type hiddenDeadline struct{ context.Context }

func (hiddenDeadline) Deadline() (time.Time, bool) { return time.Time{}, false }

// stallListener accepts connections as stallConns.
type stallListener struct {
	net.Listener
	timeout time.Duration
	open    *atomic.Int64 // counts the connections
}

func (l *stallListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &stallConn{Conn: c, timeout: l.timeout, open: l.open}, nil
}

// stallChunk is how many bytes must be taken within the timeout.
const stallChunk = 64 << 10

// stallConn is a connection that fails when a write makes no progress for the
// timeout. A deadline that is set on it holds as well.
type stallConn struct {
	net.Conn
	timeout  time.Duration
	deadline atomic.Int64 // in nanoseconds of Unix time, 0 for none
	open     *atomic.Int64
	closed   atomic.Bool
}

// Close closes the connection, which counts as open until then. It may be called again.
func (c *stallConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

func (c *stallConn) SetWriteDeadline(t time.Time) error {
	c.keep(t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *stallConn) SetDeadline(t time.Time) error {
	c.keep(t)
	return c.Conn.SetDeadline(t)
}

func (c *stallConn) keep(deadline time.Time) {
	if deadline.IsZero() {
		c.deadline.Store(0)
		return
	}
	c.deadline.Store(deadline.UnixNano())
}

func (c *stallConn) Write(p []byte) (written int, err error) {
	for first := true; first || len(p) > 0; first = false {
		until := time.Now().Add(c.timeout)
		if set := c.deadline.Load(); set != 0 && set < until.UnixNano() {
			until = time.Unix(0, set)
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
