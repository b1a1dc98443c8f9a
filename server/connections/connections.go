// Package connections watches the connections of a gRPC server frame by frame, because
// gRPC does not report what happens on them. It adds the error details to calls that gRPC
// itself refuses, closes connections that reset too many calls or use too much memory,
// and times the end of a connection so that clients lose no calls.
package connections

import (
	"log/slog"
	"math"
	"net"
	"sync/atomic"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/credentials"

	"github.com/digate/digate/server/peers"
)

// Config is the configuration of the watching.
type Config struct {
	Arrivals *Arrivals
	// Malformed is called for each call that gRPC refused because of its header.
	Malformed func()
	// Refused is called for each call that gRPC refused because of its encoding, with the
	// error that the caller gets.
	Refused func(error)
	// Reset is called for each connection that is closed because it reset too many calls.
	Reset func()
	Log   *slog.Logger
}

// Watch returns credentials that secure connections with the given credentials and watch
// them. The remote address of a watched connection is a [*peers.Peer].
func Watch(c credentials.TransportCredentials, cfg Config) credentials.TransportCredentials {
	return watchedCredentials{c, newConnections(newPenalties(cfg.Log), cfg)}
}

// connections are the connections with one configuration.
type connections struct {
	penalties *penalties
	arrivals  *Arrivals
	malformed func()
	refused   func(error)
	reset     func()
}

func newConnections(penalties *penalties, cfg Config) *connections {
	return &connections{penalties: penalties, arrivals: cfg.Arrivals, malformed: cfg.Malformed, refused: cfg.Refused, reset: cfg.Reset}
}

// watch returns the watched form of a connection.
func (c *connections) watch(conn net.Conn) net.Conn {
	peer := peers.New(conn.RemoteAddr())
	credit := newResetCredit(c.penalties.burst(peers.Address(peer)))
	w := &watchedConn{Conn: conn, peer: peer, all: c, credit: credit, acked: make(chan struct{}, 1)}
	w.arriving = arriving{all: c.arrivals, peer: peer, close: func() { w.expel("it sent much of messages or headers without their end") }}
	w.in.skip = len(http2.ClientPreface)
	w.in.see = w.arriving.receive
	w.out.see = func(kind http2.FrameType, flags http2.Flags, stream uint32, _ int) {
		w.arriving.send(kind, flags, stream)
	}
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

// watchedConn follows the frames on a connection. It closes the connection of a client
// that resets far more calls than it lets finish (resets.go) or that uses too much memory
// for incomplete messages (arrivals.go). It counts the calls that are refused because of
// their header (malformed.go), and adds error details to refusals (refusals.go). It tells
// the client about the end of the connection at a good moment (farewell.go).
type watchedConn struct {
	net.Conn
	peer     *peers.Peer
	all      *connections
	credit   *resetCredit
	in, out  frameScanner // of Read and Write alone
	refusals refusals     // of Write alone
	arriving arriving

	farewell    farewell
	calls, acks atomic.Int64  // frames of the client
	acked       chan struct{} // has a value when acks has changed
}

// RemoteAddr returns a [*peers.Peer], through which a call can identify its connection.
func (c *watchedConn) RemoteAddr() net.Addr { return c.peer }

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	before := c.in.resets
	c.in.scan(p[:n])
	if resets := c.in.resets - before; resets > 0 && !c.credit.spend(resets) {
		c.expel("it reset far more calls than it let finish")
		c.all.reset()
		err, n = net.ErrClosed, 0
	}
	c.all.arrivals.relieve()
	if err != nil {
		c.heard(c.in.calls, math.MaxInt) // nothing more will come
		return n, err
	}
	c.heard(c.in.calls, c.in.acks)
	return n, nil
}

// expel closes the connection and remembers its address.
func (c *watchedConn) expel(reason string) {
	c.all.penalties.add(peers.Address(c.peer), reason)
	_ = c.Conn.Close()
}

// Close closes the connection.
func (c *watchedConn) Close() error {
	c.arriving.end()
	return c.Conn.Close()
}

// send writes to the connection, counts frames, and adds error details to gRPC's
// refusals. A refusal that gRPC writes in two parts, which is rare, is not changed.
func (c *watchedConn) send(p []byte) (sent int, err error) {
	for {
		var v *verdict
		from, to, ok := c.out.find(p[sent:], func(frame []byte) bool { v = c.refusals.verdictOn(frame); return v != nil })
		if !ok {
			break
		}
		n, err := c.sendAs(p[sent:][:from], p[sent:][:from])
		if sent += n; err != nil {
			return sent, err
		}
		frame := p[sent:][:to-from]
		n, err = c.sendAs(v.with(frame, c.peer.AskedOfCopies()), frame)
		if sent += n; err != nil {
			return sent, err
		}
		if v == encodingVerdict {
			c.all.refused(v.err)
		}
	}
	n, err := c.sendAs(p[sent:], p[sent:])
	return sent + n, err
}

// sendAs writes amended instead of p, and returns the corresponding number of bytes of p.
func (c *watchedConn) sendAs(amended, p []byte) (int, error) {
	n, err := c.Conn.Write(amended)
	n = min(n, len(p))
	before := c.out.frameCounts
	c.out.scan(p[:n])
	for range c.out.malformed - before.malformed {
		c.all.malformed()
	}
	c.credit.earn(c.out.ends - before.ends)
	return n, err
}
