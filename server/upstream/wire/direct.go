package wire

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Direct makes exchanges that need only a connection and nothing else of net/http's
// transport: short requests over HTTP/1.1 without a proxy. The goroutine of the call
// writes the request and reads the response itself. net/http has two goroutines for each
// connection and passes every request between them. Direct sends the same bytes as
// net/http, and reads the response with [http.ReadResponse].
type Direct struct {
	pool
	addr      string
	host      string      // in requests
	secure    *tls.Config // nil without TLS
	open      *Connections
	maxHeader int64
	http1     atomic.Bool // the upstream speaks HTTP/1.1, as far as known
}

// ErrHTTP2 is returned by [Direct.RoundTrip] if the upstream chose HTTP/2. Nothing was
// sent, and the transport can make the exchange.
var ErrHTTP2 = errors.New("the upstream speaks HTTP/2")

// maxDirect is the maximum size of a request's body, in bytes. The system accepts that
// much and a header on a connection without unacknowledged data, so a write never waits
// for an upstream that responds before it has read the whole request.
const maxDirect = 8 << 10

// NewDirect returns a Direct for requests to the base URL, or nil if these need
// net/http's transport. Its connections count their bytes and are added to open.
func NewDirect(cfg Config, base *url.URL, open *Connections) *Direct {
	if !canLook || cfg.Proxy != nil || cfg.Dial != nil || !plainHost(base.Host) {
		return nil
	}
	d := &Direct{
		pool: pool{timeout: cmp.Or(cfg.IdleTimeout, math.MaxInt64)}, open: open, host: base.Host,
		maxHeader: cmp.Or(cfg.MaxResponseHeader, defaultMaxHeader),
	}
	port := "80"
	if base.Scheme == "https" {
		port, d.secure = "443", cfg.directTLS(base.Hostname())
	}
	d.addr = net.JoinHostPort(base.Hostname(), cmp.Or(base.Port(), port))
	d.http1.Store(d.secure == nil || !cfg.HTTP2)
	return d
}

// defaultMaxHeader is net/http's default limit of a response's header.
const defaultMaxHeader = 10 << 20

// plainHost reports whether a host has the same form in a request as in the URL: it has
// only ASCII letters and no zone.
func plainHost(host string) bool {
	for i := range len(host) {
		if host[i] >= utf8.RuneSelf || host[i] == '%' {
			return false
		}
	}
	return true
}

// Takes reports whether Direct can make an exchange with this method and body. If HTTP/2
// is offered, it cannot until [Direct.Learn] reports that the upstream speaks HTTP/1.1.
func (d *Direct) Takes(verb string, body []byte) bool {
	return d != nil && len(body) <= maxDirect && (len(body) > 0 || usuallyLacksBody(verb)) && d.http1.Load()
}

// Learn records the major HTTP version of the upstream's response to the transport.
func (d *Direct) Learn(major int) {
	if d != nil && major == 1 && !d.http1.Load() {
		d.http1.Store(true)
	}
}

// requests is a pool of *[]byte buffers for requests.
var requests = sync.Pool{New: func() any { return new([]byte) }}

// RoundTrip makes an exchange, as [http.RoundTripper] does, and records it in the
// tracker. The body of the response must be read to its end or closed.
func (d *Direct) RoundTrip(ctx context.Context, r *Request, track *Tracker) (*http.Response, error) {
	request := requests.Get().(*[]byte)
	defer requests.Put(request)
	sent, err := appendRequest((*request)[:0], d.host, r)
	if err != nil {
		return nil, err
	}
	*request = sent
	for {
		c, err := d.connect(ctx)
		if err != nil {
			return nil, err
		}
		track.use(c.socket.connection)
		resp, err := c.exchange(ctx, r.Verb, *request)
		if err == nil {
			return resp, nil
		}
		_ = c.Close()
		if cause := ctx.Err(); cause != nil {
			return nil, cause
		}
		if !c.reused || track.sent() {
			return nil, err
		}
	}
}

// Close closes the idle connections now, and the others at the end of their exchange.
func (d *Direct) Close() {
	if d != nil {
		d.close()
	}
}

// directConn is a connection of a Direct. It is used by one exchange at a time.
type directConn struct {
	net.Conn // the socket, or TLS over it
	socket   *socket
	of       *Direct
	in       *bufio.Reader
	// left is how many more bytes may be read.
	left   int64
	since  time.Time // when it became idle
	reused bool      // it was idle before
	one    [1]byte
}

// quiet reports whether an idle connection can be used again: it is open, and no bytes
// have arrived, which would not be a response to the next request. Data of TLS itself,
// such as a session ticket, does not count.
func (c *directConn) quiet() bool {
	c.socket.looking = true
	_, err := c.Conn.Read(c.one[:])
	c.socket.looking = false
	return errors.Is(err, errNothing) && c.socket.records.whole()
}

// Read implements [io.Reader] for the reader of responses, with the limit.
func (c *directConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the header of the response is larger than %d bytes", c.of.maxHeader)
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// exchange sends a request and reads the header of the response.
func (c *directConn) exchange(ctx context.Context, verb string, request []byte) (*http.Response, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	if _, err := c.Write(request); err != nil {
		stop()
		return nil, err
	}
	resp, err := c.header(verb)
	if err != nil {
		stop()
		return nil, err
	}
	body := &directBody{ReadCloser: resp.Body, conn: c, stop: stop, last: resp.Close || resp.StatusCode < http.StatusOK}
	resp.Body = body
	if resp.ContentLength == 0 || verb == http.MethodHead {
		body.finish(true)
	}
	return resp, nil
}

// toHead is a request whose response has no body.
var toHead = &http.Request{Method: http.MethodHead}

// header reads the header of the response. It skips interim responses, and all of them
// share one limit.
func (c *directConn) header(verb string) (*http.Response, error) {
	c.left = c.of.maxHeader
	var req *http.Request // nil unless the response cannot have a body
	if verb == http.MethodHead {
		req = toHead
	}
	for {
		resp, err := http.ReadResponse(c.in, req)
		if err != nil {
			return nil, err
		}
		if !interim(resp.StatusCode) {
			c.left = math.MaxInt64
			return resp, nil
		}
	}
}

// interim reports whether another response follows one with this status. As in net/http,
// none follows a status below 100, which is invalid in HTTP.
func interim(status int) bool {
	return status >= http.StatusContinue && status < http.StatusOK && status != http.StatusSwitchingProtocols
}

// directBody is the body of a response. When it ends, the connection can be used again.
type directBody struct {
	io.ReadCloser
	conn *directConn
	stop func() bool
	last bool // no other exchange may use the connection
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

// finish ends the exchange. whole reports whether the response was read to its end.
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
	if whole && b.last {
		c.socket.endsBy(endedByUpstream)
	}
	_ = c.Close()
}
