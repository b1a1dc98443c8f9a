package server

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/credentials"

	"github.com/digate/digate/server/streams"
)

// connections are the open connections of the gRPC side. The frames that pass on
// them are watched for what gRPC tells nobody.
type connections struct {
	penalties *penalties
	malformed func() // is called for a call that gRPC refused for its header

	mu   sync.Mutex
	open map[*watchedConn]struct{}
}

func newConnections(penalties *penalties, malformed func()) *connections {
	return &connections{penalties: penalties, malformed: malformed, open: make(map[*watchedConn]struct{})}
}

// watch returns the connection, watched. It is open until it is closed.
func (c *connections) watch(conn net.Conn) net.Conn {
	peer := streams.NewPeer(conn.RemoteAddr())
	credit := newResetCredit(c.penalties.burst(streams.Address(peer)))
	w := &watchedConn{Conn: conn, peer: peer, all: c, credit: credit, writing: make(chan struct{}, 1)}
	w.in.skip = len(http2.ClientPreface)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[w] = struct{}{}
	return w
}

// watchedCredentials watch the connections that they have secured.
type watchedCredentials struct {
	credentials.TransportCredentials
	connections *connections
}

func (c watchedCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(conn)
	if err != nil {
		return nil, nil, err
	}
	return c.connections.watch(conn), info, nil
}

func (c watchedCredentials) Clone() credentials.TransportCredentials {
	return watchedCredentials{c.TransportCredentials.Clone(), c.connections}
}

// watchedConn follows the frames that pass: it closes a connection whose client resets
// far more calls than it lets finish, and counts the calls that are refused for their
// header.
type watchedConn struct {
	net.Conn
	peer    *streams.Peer
	all     *connections
	credit  *resetCredit
	in, out frameScanner
	writing chan struct{} // holds a value while somebody writes

	lastRead atomic.Int64 // in nanoseconds of Unix time
}

// RemoteAddr returns a [*streams.Peer]: by it a call knows its connection.
func (c *watchedConn) RemoteAddr() net.Addr { return c.peer }

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.lastRead.Store(time.Now().UnixNano())
	if resets := c.in.scan(p[:n], isReset); resets > 0 && !c.credit.spend(resets) {
		c.all.penalties.add(streams.Address(c.peer))
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
		c.all.malformed()
	}
	c.credit.earn(ends)
	return n, err
}

// Close closes the connection, which is no longer one of the open ones.
func (c *watchedConn) Close() error {
	c.all.mu.Lock()
	delete(c.all.open, c)
	c.all.mu.Unlock()
	return c.Conn.Close()
}
