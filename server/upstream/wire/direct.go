package wire

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
	"unicode/utf8"
)

// Direct makes the exchanges that need nothing of net/http's transport but a connection:
// short requests over HTTP/1.1, without TLS and without a proxy. The goroutine of the call
// writes the request and reads the response itself, while net/http has two goroutines for
// each connection and hands every request from one to the other. The bytes that are sent are
// those that net/http sends, and [http.ReadResponse] reads the response.
type Direct struct {
	addr      string
	open      *Connections
	timeout   time.Duration // of idle connections
	maxHeader int64

	mu     sync.Mutex
	idle   []*directConn // in the order in which they became idle
	reaper *time.Timer   // nil while none is idle
	closed bool
}

// maxDirect is the size of the longest body that is sent so, in bytes. The system takes
// that much, and a header, from a connection that has nothing in flight, so a write never
// waits for an upstream that responds before it has read everything.
const maxDirect = 8 << 10

// NewDirect returns a Direct for requests to the base URL, nil where they need more than
// it can do. Its connections count their bytes and are added to open.
func NewDirect(cfg Config, base *url.URL, open *Connections) *Direct {
	if !canCheck || base.Scheme != "http" || cfg.Proxy != nil || cfg.Dial != nil || !plainHost(base.Host) {
		return nil
	}
	port := base.Port()
	if port == "" {
		port = "80"
	}
	return &Direct{
		addr: net.JoinHostPort(base.Hostname(), port), open: open,
		timeout: cmp.Or(cfg.IdleTimeout, math.MaxInt64), maxHeader: cmp.Or(cfg.MaxResponseHeader, defaultMaxHeader),
	}
}

// defaultMaxHeader is net/http's bound of a response's header, where none is set.
const defaultMaxHeader = 10 << 20

// plainHost reports whether a host is in a request as it is in the URL: it has no letter
// beyond ASCII, and no zone.
func plainHost(host string) bool {
	for i := range len(host) {
		if host[i] >= utf8.RuneSelf || host[i] == '%' {
			return false
		}
	}
	return true
}

// Takes reports whether Direct makes exchanges with a body like this one.
func (d *Direct) Takes(verb string, body []byte) bool {
	return d != nil && len(body) <= maxDirect && (len(body) > 0 || usuallyLacksBody(verb))
}

// requests are buffers for requests, of *[]byte.
var requests = sync.Pool{New: func() any { return new([]byte) }}

// RoundTrip makes an exchange as [http.RoundTripper] has it, and lets the tracker follow.
// The request's own Body is not used. The body of the response must be read to its end or
// closed.
func (d *Direct) RoundTrip(ctx context.Context, req *http.Request, body []byte, track *Tracker) (*http.Response, error) {
	request := requests.Get().(*[]byte)
	defer requests.Put(request)
	sent, err := appendRequest((*request)[:0], req, body)
	if err != nil {
		return nil, err
	}
	*request = sent
	for {
		c, reused, err := d.connect(ctx)
		if err != nil {
			return nil, err
		}
		track.use(c.connection)
		resp, err := c.exchange(ctx, req, *request)
		if err == nil {
			return resp, nil
		}
		_ = c.Close()
		if cause := ctx.Err(); cause != nil {
			return nil, cause
		}
		if !reused || track.sent() {
			return nil, err
		}
	}
}

// connect returns an idle connection, or a new one.
func (d *Direct) connect(ctx context.Context) (_ *directConn, reused bool, err error) {
	for c := d.take(); c != nil; c = d.take() {
		if c.quiet() {
			return c, true, nil
		}
		_ = c.Close()
	}
	c, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, false, err
	}
	conn := newConnection(c, d.open)
	if !d.open.add(conn) {
		_ = c.Close()
		return nil, false, net.ErrClosed
	}
	direct := &directConn{connection: conn, of: d}
	direct.in = bufio.NewReader(direct)
	if err := direct.check.of(c); err != nil {
		_ = conn.Close()
		return nil, false, err
	}
	return direct, false, nil
}

// take takes the connection that became idle last, nil if there is none.
func (d *Direct) take() *directConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.idle) - 1
	if n < 0 || time.Since(d.idle[n].since) >= d.timeout {
		return nil // the reaper closes the rest
	}
	c := d.idle[n]
	d.idle[n] = nil
	d.idle = d.idle[:n]
	return c
}

// put keeps a connection for another exchange.
func (d *Direct) put(c *directConn) {
	c.since = time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.idle) >= idlePool {
		_ = c.Close()
		return
	}
	d.idle = append(d.idle, c)
	if d.reaper == nil {
		d.reaper = time.AfterFunc(d.timeout, d.reap)
	}
}

// reap closes the connections that have been idle for too long.
func (d *Direct) reap() {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for n < len(d.idle) && time.Since(d.idle[n].since) >= d.timeout {
		_ = d.idle[n].Close()
		n++
	}
	d.idle = append(d.idle[:0], d.idle[n:]...)
	if d.reaper = nil; len(d.idle) > 0 && !d.closed {
		d.reaper = time.AfterFunc(time.Until(d.idle[0].since.Add(d.timeout)), d.reap)
	}
}

// Close closes the idle connections, and the others at the end of their exchange.
func (d *Direct) Close() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, c := range d.idle {
		_ = c.Close()
	}
	d.idle = nil
	if d.reaper != nil {
		d.reaper.Stop()
	}
}

// directConn is a connection of a Direct. One exchange at a time uses it.
type directConn struct {
	*connection
	of    *Direct
	check silenceCheck
	in    *bufio.Reader
	// left is how many bytes may be read.
	left  int64
	since time.Time // when it became idle
}

// quiet reports whether nothing has arrived on an idle connection: not its end, and no
// bytes, which would be no response to the next request.
func (c *directConn) quiet() bool { return c.check.quiet() }

// Read reads for the reader of responses, within the bound.
func (c *directConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the header of the response is larger than %d bytes", c.of.maxHeader)
	}
	n, err := c.connection.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// exchange sends a request and reads the header of the response.
func (c *directConn) exchange(ctx context.Context, req *http.Request, request []byte) (*http.Response, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	if _, err := c.Write(request); err != nil {
		stop()
		return nil, err
	}
	resp, err := c.header(req)
	if err != nil {
		stop()
		return nil, err
	}
	body := &directBody{ReadCloser: resp.Body, conn: c, stop: stop, last: resp.Close || resp.StatusCode < http.StatusOK}
	resp.Body = body
	if resp.ContentLength == 0 || req.Method == http.MethodHead {
		body.finish(true)
	}
	return resp, nil
}

// header reads the header of the response, after those of interim responses, all within
// one bound.
func (c *directConn) header(req *http.Request) (*http.Response, error) {
	c.left = c.of.maxHeader
	for {
		resp, err := http.ReadResponse(c.in, req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= http.StatusOK || resp.StatusCode == http.StatusSwitchingProtocols {
			c.left = math.MaxInt64
			return resp, nil
		}
	}
}

// directBody is the body of a response. Its end frees the connection.
type directBody struct {
	io.ReadCloser
	conn *directConn
	stop func() bool
	last bool // no other exchange may follow on the connection
	done bool
}

func (b *directBody) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.finish(errors.Is(err, io.EOF))
	}
	return n, err
}

func (b *directBody) Close() error {
	b.finish(false)
	return nil
}

// finish ends the exchange, whose response may have been read whole.
func (b *directBody) finish(whole bool) {
	if b.done {
		return
	}
	b.done = true
	c := b.conn
	if b.stop() && whole && !b.last && c.in.Buffered() == 0 {
		c.of.put(c)
		return
	}
	_ = c.Close()
}
