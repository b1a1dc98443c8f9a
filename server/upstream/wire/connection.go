package wire

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// connection counts the bytes that the kernel accepted for sending: they decide
// whether a failed request can have reached the upstream. It lies below TLS.
type connection struct {
	net.Conn
	open     *Connections
	mu       sync.Mutex // held while a Write is in flight
	accepted atomic.Int64
	received atomic.Int64
	// atClose is the value of accepted when TLS began to close the connection, -1
	// before: the close_notify alert that follows belongs to no request.
	atClose atomic.Int64
	// shared reports whether several requests use the connection at once (HTTP/2).
	// The first request on the connection sets it, under classify.
	classify sync.Once
	shared   bool

	// users counts the requests that have the connection, and used tells whether any ever
	// had it. freed is when the transport's last one left it, at first when it was opened, in
	// nanoseconds of Unix time. timeout is how long the transport keeps it idle, 0 if it is
	// not the transport's.
	users   atomic.Int32
	used    atomic.Bool
	freed   atomic.Int64
	timeout time.Duration
	why     atomic.Uint32 // an ending
}

func newConnection(c net.Conn, open *Connections) *connection {
	conn := &connection{Conn: c, open: open}
	conn.atClose.Store(-1)
	conn.freed.Store(time.Now().UnixNano())
	return conn
}

// Close ends the connection and removes it from the open ones.
func (c *connection) Close() error {
	c.open.remove(c)
	return c.Conn.Close()
}

func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.received.Add(int64(n))
	}
	if err != nil {
		c.failedBy(err)
	}
	return n, err
}

func (c *connection) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.accepted.Add(int64(n))
	}
	if err != nil {
		c.failedBy(err)
	}
	return n, err
}

// SetWriteDeadline notes that the connection begins to close: net/http sets no
// write deadline, and crypto/tls sets one just before it sends close_notify. If
// that ever changes, a close counts as sent bytes and the verdict errs towards
// UNKNOWN.
func (c *connection) SetWriteDeadline(t time.Time) error {
	c.atClose.CompareAndSwap(-1, c.accepted.Load())
	return c.Conn.SetWriteDeadline(t)
}

// count returns how many bytes of requests and handshakes the kernel accepted.
func (c *connection) count() int64 {
	if n := c.atClose.Load(); n >= 0 {
		return n
	}
	return c.accepted.Load()
}

// settle ends the connection and returns the final count. net/http may return a
// failure while its writing goroutine still holds the request. Closing first and
// then waiting for a write in flight leaves no byte uncounted.
func (c *connection) settle() int64 {
	_ = c.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count()
}

// isHTTP2 reports whether TLS agreed on HTTP/2 for the connection.
func isHTTP2(c net.Conn) bool {
	tc, ok := c.(*tls.Conn)
	return ok && tc.ConnectionState().NegotiatedProtocol == "h2"
}

// countedBelow returns the counting connection below any layers of TLS, nil if
// there is none.
func countedBelow(c net.Conn) *connection {
	for {
		switch v := c.(type) {
		case *connection:
			return v
		case *tls.Conn:
			c = v.NetConn()
		default:
			return nil
		}
	}
}
