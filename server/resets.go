package server

import (
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/credentials"

	"github.com/digate/digate/server/streams"
)

// A connection that opens calls and resets them at once costs the server a call each
// and its client next to nothing (CVE-2023-44487). It may reset resetBurst calls more
// than it lets finish, and resetRate more each second, as in Node's HTTP/2 server;
// then it is closed. After that, the connections of its address may reset
// resetBurstAfter for a while.
const (
	resetBurst      = 1000
	resetRate       = 33
	resetBurstAfter = 50
	resetPenalty    = time.Minute
)

// resetGuard closes connections that reset far more calls than they let finish.
type resetGuard struct {
	log       *slog.Logger
	malformed func() // is called for a call that gRPC refused for its header

	mu     sync.Mutex
	closed map[netip.Addr]time.Time // when a connection of the address was closed
	open   map[*watchedConn]struct{}
}

func newResetGuard(log *slog.Logger, malformed func()) *resetGuard {
	return &resetGuard{log: log, malformed: malformed, closed: make(map[netip.Addr]time.Time), open: make(map[*watchedConn]struct{})}
}

// guardedCredentials watch the connections that they have secured.
type guardedCredentials struct {
	credentials.TransportCredentials
	guard *resetGuard
}

func (c guardedCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(conn)
	if err != nil {
		return nil, nil, err
	}
	return c.guard.watch(conn), info, nil
}

func (c guardedCredentials) Clone() credentials.TransportCredentials {
	return guardedCredentials{c.TransportCredentials.Clone(), c.guard}
}

// watch returns the connection, watched.
func (g *resetGuard) watch(conn net.Conn) net.Conn {
	w := &watchedConn{Conn: conn, guard: g, writing: make(chan struct{}, 1), credit: resetBurst, most: resetBurst, since: time.Now()}
	w.in.skip = len(http2.ClientPreface)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[w] = struct{}{}
	if g.penalized(streams.Address(conn.RemoteAddr())) {
		w.credit, w.most = resetBurstAfter, resetBurstAfter
	}
	return w
}

// maxPenalties bounds the addresses that are remembered.
const maxPenalties = 10_000

// penalize remembers that a connection was closed. The log has a line for the first
// of an address: a client that connects again and again could fill the log otherwise.
func (g *resetGuard) penalize(conn net.Conn) {
	peer := streams.Address(conn.RemoteAddr())
	g.mu.Lock()
	first := !g.penalized(peer)
	if len(g.closed) >= maxPenalties {
		clear(g.closed)
	}
	g.closed[peer] = time.Now()
	g.mu.Unlock()
	if first {
		g.log.Warn("a gRPC connection was closed: it reset far more calls than it let finish", "peer", peer.String())
	}
}

// penalized reports whether a connection of the address was closed within the time
// of a penalty.
func (g *resetGuard) penalized(peer netip.Addr) bool {
	at, ok := g.closed[peer]
	return ok && time.Since(at) < resetPenalty
}

// watchedConn counts the calls that its client resets, and those that the server
// ends, by the frames that pass.
type watchedConn struct {
	net.Conn
	guard   *resetGuard
	in, out frameScanner
	writing chan struct{} // holds a value while somebody writes

	lastRead atomic.Int64 // in nanoseconds of Unix time

	mu     sync.Mutex
	credit float64 // resets that the client may still make
	most   float64
	since  time.Time // when credit was computed
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.lastRead.Store(time.Now().UnixNano())
	if resets := c.in.scan(p[:n], isReset); resets > 0 && !c.spend(resets) {
		c.guard.penalize(c.Conn)
		_ = c.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *watchedConn) Write(p []byte) (int, error) {
	c.writing <- struct{}{}
	defer func() { <-c.writing }()
	n, err := c.Conn.Write(p)
	before := c.out.malformed
	ends := c.out.scan(p[:n], isEnd)
	for range c.out.malformed - before {
		c.guard.malformed()
	}
	if ends > 0 {
		c.mu.Lock()
		c.credit = min(c.credit+float64(ends), c.most)
		c.mu.Unlock()
	}
	return n, err
}

// Close closes the connection, which is no longer one of the guard's.
func (c *watchedConn) Close() error {
	c.guard.mu.Lock()
	delete(c.guard.open, c)
	c.guard.mu.Unlock()
	return c.Conn.Close()
}

// spend takes resets from the credit and reports whether it was enough.
func (c *watchedConn) spend(resets int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.credit = min(c.credit+resetRate*now.Sub(c.since).Seconds(), c.most) - float64(resets)
	c.since = now
	return c.credit >= 0
}

func isReset(t http2.FrameType, _ http2.Flags) bool { return t == http2.FrameRSTStream }

// isEnd reports whether the frame ends a call with a status.
func isEnd(t http2.FrameType, f http2.Flags) bool {
	return t == http2.FrameHeaders && f.Has(http2.FlagHeadersEndStream)
}

// The first byte of a response's header by which gRPC refuses the header of a call
// before the call is one: with the HTTP status 400, or with one that is not in the
// static table (RFC 7541, appendix A), such as 415. Every other response begins with
// 200, and every trailer with another name.
const (
	status400         = 0x8c
	statusLiteral     = 0x48 // with the name of any status of the table
	statusLiteralLast = 0x4e
)

// frameHeader is the size of a frame's header in bytes.
const frameHeader = 9

// frameScanner follows the frames in a stream of bytes.
type frameScanner struct {
	skip   int // bytes to the next header
	header [frameHeader]byte
	have   int // bytes of the header so far

	whole     bool // the frame is a whole response
	malformed int  // responses so far that say that the header of a call is malformed
}

// between reports whether the last byte was the end of a frame.
func (s *frameScanner) between() bool { return s.skip == 0 && s.have == 0 }

// scan returns how many of the frames whose header ends in these bytes match.
func (s *frameScanner) scan(p []byte, match func(http2.FrameType, http2.Flags) bool) (count int) {
	for len(p) > 0 {
		if s.skip > 0 {
			if s.whole {
				s.whole = false
				if p[0] == status400 || p[0] >= statusLiteral && p[0] <= statusLiteralLast {
					s.malformed++
				}
			}
			n := min(s.skip, len(p))
			s.skip -= n
			p = p[n:]
			continue
		}
		n := copy(s.header[s.have:], p)
		s.have += n
		p = p[n:]
		if s.have < frameHeader {
			break
		}
		s.have = 0
		s.skip = int(binary.BigEndian.Uint32(s.header[:4]) >> 8)
		s.whole = http2.FrameType(s.header[3]) == http2.FrameHeaders && s.header[4] == byte(http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream)
		if match(http2.FrameType(s.header[3]), http2.Flags(s.header[4])) {
			count++
		}
	}
	return count
}
