package wire

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// connection counts the bytes that the kernel accepted for sending. They decide whether a
// failed request can have reached the upstream. It is below TLS.
type connection struct {
	net.Conn
	open     *Connections
	mu       sync.Mutex // held during a Write
	accepted atomic.Int64
	received atomic.Int64
	// atClose is the value of accepted when TLS began to close the connection, and -1
	// before. The close_notify alert that follows is not part of a request.
	atClose atomic.Int64
	// shared reports whether several requests use the connection concurrently (HTTP/2).
	// The first request on the connection sets it, under classify.
	classify sync.Once
	shared   bool

	// users is the number of requests that use the connection, and used reports whether
	// one ever did. freed is when the transport's last request released the connection,
	// initially when it was opened, in nanoseconds of Unix time. timeout is how long the
	// transport keeps it idle, or 0 if the connection is not the transport's.
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

// Close closes the connection and removes it from the open ones.
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

// SetWriteDeadline records that TLS begins to close the connection: net/http sets no
// write deadline, and crypto/tls sets one just before it sends close_notify. If that ever
// changes, the bytes of a close count as sent, and the outcome is UNKNOWN where it could
// be NOT_SENT.
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

// settle closes the connection and returns the final count. net/http may return a failure
// while its writing goroutine still has the request. Closing the connection first and
// then waiting for a current write makes sure that every byte is counted.
func (c *connection) settle() int64 {
	_ = c.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count()
}

// isHTTP2 reports whether TLS negotiated HTTP/2 for the connection.
func isHTTP2(c net.Conn) bool {
	tc, ok := c.(*tls.Conn)
	return ok && tc.ConnectionState().NegotiatedProtocol == "h2"
}

// countedBelow returns the counting connection below any TLS layers, or nil if there is
// none.
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
