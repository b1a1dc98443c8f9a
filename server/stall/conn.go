package stall

import (
	"net"
	"sync/atomic"
	"time"
)

// Listen returns a listener whose connections fail if a write makes no progress for the
// timeout. open counts the connections.
func Listen(ln net.Listener, timeout time.Duration, open *atomic.Int64) net.Listener {
	return &listener{ln, timeout, open}
}

type listener struct {
	net.Listener
	timeout time.Duration
	open    *atomic.Int64
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &conn{Conn: c, timeout: l.timeout, open: l.open}, nil
}

// chunk is how many bytes must be accepted within the timeout.
const chunk = 64 << 10

// conn is a connection that fails if a write makes no progress for the timeout. A
// deadline that is set on it also applies.
type conn struct {
	net.Conn
	timeout  time.Duration
	deadline atomic.Int64 // in nanoseconds of Unix time; 0 for none
	open     *atomic.Int64
	closed   atomic.Bool
}

// Close closes the connection, which counts as open until then. It may be called
// repeatedly.
func (c *conn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.keep(t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *conn) SetDeadline(t time.Time) error {
	c.keep(t)
	return c.Conn.SetDeadline(t)
}

func (c *conn) keep(deadline time.Time) {
	if deadline.IsZero() {
		c.deadline.Store(0)
		return
	}
	c.deadline.Store(deadline.UnixNano())
}

func (c *conn) Write(p []byte) (written int, err error) {
	for first := true; first || len(p) > 0; first = false {
		until := time.Now().Add(c.timeout)
		if set := c.deadline.Load(); set != 0 && set < until.UnixNano() {
			until = time.Unix(0, set)
		}
		if err := c.Conn.SetWriteDeadline(until); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[:min(len(p), chunk)])
		written += n
		if err != nil {
			return written, err
		}
		p = p[n:]
	}
	return written, nil
}
