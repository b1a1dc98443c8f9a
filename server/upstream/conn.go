package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// countedConn counts the bytes that the kernel accepted for sending, because
// that is what decides whether a failed request can have reached the vendor.
// It stands below TLS.
type countedConn struct {
	net.Conn
	among    *connections
	mu       sync.Mutex // held while a Write is in flight
	accepted atomic.Int64
	received atomic.Int64
	// atClose is accepted as it was when TLS began to close the connection, -1
	// before: the close_notify alert that follows is no part of a request.
	atClose atomic.Int64
	// shared says that several requests use the connection at once (HTTP/2). It
	// is set by the first request on the connection, under classify.
	classify sync.Once
	shared   bool
}

func newCountedConn(c net.Conn, among *connections) *countedConn {
	cc := &countedConn{Conn: c, among: among}
	cc.atClose.Store(-1)
	return cc
}

// Close ends the connection and takes it from among the open ones.
func (c *countedConn) Close() error {
	c.among.remove(c)
	return c.Conn.Close()
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.received.Add(int64(n))
	}
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.accepted.Add(int64(n))
	}
	return n, err
}

// SetWriteDeadline marks the beginning of the end: net/http sets no write
// deadlines, crypto/tls does, just before it sends close_notify. Should that
// ever change, a close counts as sent bytes and the verdict errs towards
// UNKNOWN.
func (c *countedConn) SetWriteDeadline(t time.Time) error {
	c.atClose.CompareAndSwap(-1, c.accepted.Load())
	return c.Conn.SetWriteDeadline(t)
}

func (c *countedConn) count() int64 {
	if n := c.atClose.Load(); n >= 0 {
		return n
	}
	return c.accepted.Load()
}

// settle ends the connection and returns the final count. net/http may return
// a failure while its writing goroutine still holds the request; closing first
// and then waiting for a write in flight leaves no byte unaccounted for.
func (c *countedConn) settle() int64 {
	_ = c.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count()
}

// tracker follows one attempt to the connections it is given and says whether
// anything of it left. An HTTP/1.1 attempt has one connection, or two where
// net/http moved on because nothing could be written to the first.
type tracker struct {
	trace  httptrace.ClientTrace
	mu     sync.Mutex
	conn   *countedConn
	mark   int64 // the connection's count when it was given
	inMark int64 // and what it had received
	left   bool
	opaque bool // a connection that does not count; anything may have left
}

func newTracker() *tracker {
	t := new(tracker)
	t.trace.GotConn = t.gotConn
	return t
}

func (t *tracker) gotConn(info httptrace.GotConnInfo) {
	cc := countedBelow(info.Conn)
	t.mu.Lock()
	defer t.mu.Unlock()
	if cc == nil {
		t.opaque = true
		return
	}
	cc.classify.Do(func() { cc.shared = isHTTP2(info.Conn) })
	if cc == t.conn {
		return // HTTP/2 may tell twice of a connection
	}
	if t.conn != nil && t.conn.count() > t.mark {
		t.left = true
	}
	t.conn, t.mark, t.inMark = cc, cc.count(), cc.received.Load()
}

// sent says whether a byte of the failed attempt may have left. Where the
// connection was the attempt's own (HTTP/1.1) it is ended first. A shared one
// (HTTP/2) goes on; other calls' bytes count as this one's, and so does the
// end of the context, since net/http then returns without waiting for the
// goroutine that writes. Both err towards UNKNOWN.
func (t *tracker) sent(ctx context.Context) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.opaque || t.left:
		return true
	case t.conn == nil:
		return false
	case t.conn.shared:
		return ctx.Err() != nil || t.conn.count() > t.mark
	default:
		return t.conn.settle() > t.mark
	}
}

// stale says whether the answer was on the connection before the request: a
// vendor that answered an earlier request twice, or said more than its answer's
// length, has left it there, and net/http gives it to whoever comes next. Such a
// connection is ended.
func (t *tracker) stale() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn == nil || t.conn.shared || t.conn.received.Load() > t.inMark {
		return false
	}
	_ = t.conn.settle()
	return true
}

// isHTTP2 says whether TLS agreed on HTTP/2 for the connection.
func isHTTP2(c net.Conn) bool {
	tc, ok := c.(*tls.Conn)
	return ok && tc.ConnectionState().NegotiatedProtocol == "h2"
}

// countedBelow finds the counting connection under any layers of TLS, nil
// where there is none.
func countedBelow(c net.Conn) *countedConn {
	for {
		switch v := c.(type) {
		case *countedConn:
			return v
		case *tls.Conn:
			c = v.NetConn()
		default:
			return nil
		}
	}
}
