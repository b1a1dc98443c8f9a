// Package handshake performs the TLS handshakes of a listener before its server gets the
// connections, so that every protocol has the same limits and counts for them.
package handshake

import (
	"container/list"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config is the configuration of a [Listener].
type Config struct {
	// TLS returns the configuration for a new connection. It is called for each.
	TLS func() *tls.Config
	// Timeout is the time limit of a handshake.
	Timeout time.Duration
	// MaxPending is the maximum number of handshakes in progress. Beyond it, the oldest
	// handshake of the address with the most handshakes is ended: stalled handshakes
	// never block new ones, and an address with many handshakes does not affect others.
	MaxPending int
	// Pending, if set, counts the handshakes in progress.
	Pending *atomic.Int64
	// Address returns the address by which a peer's handshakes are counted. If nil, all
	// peers are counted together.
	Address func(peer net.Addr) netip.Addr
	// NeedsProtocol refuses a client that names no protocol (ALPN).
	NeedsProtocol bool
	// Plain is the response to a client that sends HTTP without TLS.
	Plain []byte
	// Ended, if set, is called with the result of each handshake. The error is nil for
	// [Done].
	Ended func(result Result, peer net.Addr, err error)
}

// Listener accepts connections whose handshake is complete. They are [*tls.Conn].
type Listener struct {
	net.Listener
	Config

	begin    sync.Once
	under    sync.WaitGroup // handshakes
	accepted chan accepted
	closed   chan struct{}
	close    sync.Once

	mu      sync.Mutex
	pending map[netip.Addr]*list.List // of *pending, the oldest first; none is empty
	count   int                       // of all addresses
	begun   uint64
}

// accepted is the result of an Accept.
type accepted struct {
	conn net.Conn
	err  error
}

// pending is a handshake in progress.
type pending struct {
	net.Conn
	number    uint64 // counts handshakes
	displaced bool
}

// Listen returns a listener that accepts the connections of ln.
func Listen(ln net.Listener, cfg Config) *Listener {
	return &Listener{
		Listener: ln, Config: cfg, accepted: make(chan accepted), closed: make(chan struct{}), pending: make(map[netip.Addr]*list.List),
	}
}

// Accept returns the next connection whose handshake is complete.
func (l *Listener) Accept() (net.Conn, error) {
	l.begin.Do(func() { go l.acceptAll() })
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close closes the listener, and the connections that were not accepted yet.
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.closed) })
	err := l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, of := range l.pending {
		for e := of.Front(); e != nil; e = e.Next() {
			_ = e.Value.(*pending).Close()
		}
	}
	return err
}

// Drain stops accepting connections. Accept returns those whose handshake is in progress,
// and then [net.ErrClosed]. Close ends these handshakes.
func (l *Listener) Drain() { _ = l.Listener.Close() }

// acceptAll begins a handshake with each connection until the listener is closed. It
// passes an error to the next Accept, whose caller knows when to retry.
func (l *Listener) acceptAll() {
	for {
		conn, err := l.Listener.Accept()
		if err == nil {
			if remove, ok := l.add(conn); ok {
				l.under.Go(func() { l.serve(conn, remove) })
			} else {
				_ = conn.Close()
			}
			continue
		}
		gone := errors.Is(err, net.ErrClosed)
		if gone {
			l.under.Wait()
		}
		if !l.offer(accepted{err: err}) || gone {
			return
		}
	}
}

// offer passes a result to Accept, and reports whether Accept took it.
func (l *Listener) offer(a accepted) bool {
	select {
	case l.accepted <- a:
		return true
	case <-l.closed:
		return false
	}
}

// serve performs the handshake with a connection and passes the connection on.
func (l *Listener) serve(raw net.Conn, remove func() (displaced bool)) {
	conn := tls.Server(raw, l.TLS())
	err := raw.SetDeadline(time.Now().Add(l.Timeout))
	if err == nil {
		err = conn.Handshake()
	}
	if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && plain.Conn != nil && speaksHTTP(plain.RecordHeader[:]) {
		l.respond(plain.Conn)
	}
	if err == nil && l.NeedsProtocol && conn.ConnectionState().NegotiatedProtocol == "" {
		err = errNoProtocol
	}
	if err == nil {
		err = raw.SetDeadline(time.Time{})
	}
	displaced := remove()
	if l.Ended != nil {
		l.Ended(resultOf(err, displaced), raw.RemoteAddr(), err)
	}
	if err != nil {
		_ = raw.Close()
		return
	}
	if !l.offer(accepted{conn: conn}) {
		_ = conn.Close()
	}
}

// A request without TLS is read for a moment longer, so that its client can read the
// response before it notices that the connection is closed.
const (
	readOnTime  = 500 * time.Millisecond
	readOnBytes = 64 << 10
)

// respond writes the response to a request without TLS.
func (l *Listener) respond(conn net.Conn) {
	if len(l.Plain) == 0 || conn.SetDeadline(time.Now().Add(readOnTime)) != nil {
		return
	}
	if _, err := conn.Write(l.Plain); err == nil {
		_, _ = io.CopyN(io.Discard, conn, readOnBytes)
	}
}

// add counts a new handshake, unless the listener is closed. remove uncounts it, and
// reports whether it was ended for a newer one.
func (l *Listener) add(conn net.Conn) (remove func() (displaced bool), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return nil, false
	default:
	}
	var addr netip.Addr
	if l.Address != nil {
		addr = l.Address(conn.RemoteAddr())
	}
	of := l.pending[addr]
	if of == nil {
		of = list.New()
		l.pending[addr] = of
	}
	l.begun++
	p := &pending{Conn: conn, number: l.begun}
	e := of.PushBack(p)
	l.addPending(1)
	if l.count > l.MaxPending {
		l.displace()
	}
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !p.displaced {
			l.take(addr, e)
		}
		return p.displaced
	}, true
}

// displace ends the oldest handshake of the address with the most handshakes. If two
// addresses have the same number, it ends the older handshake.
func (l *Listener) displace() {
	var (
		from   netip.Addr
		oldest *list.Element
		most   int
	)
	for addr, of := range l.pending {
		e := of.Front()
		if of.Len() > most || of.Len() == most && e.Value.(*pending).number < oldest.Value.(*pending).number {
			from, oldest, most = addr, e, of.Len()
		}
	}
	p := l.take(from, oldest)
	p.displaced = true
	_ = p.Close()
}

// take removes a handshake of an address from those in progress.
func (l *Listener) take(addr netip.Addr, e *list.Element) *pending {
	of := l.pending[addr]
	p := of.Remove(e).(*pending)
	if of.Len() == 0 {
		delete(l.pending, addr)
	}
	l.addPending(-1)
	return p
}

// addPending changes the number of handshakes in progress by n.
func (l *Listener) addPending(n int) {
	l.count += n
	if l.Pending != nil {
		l.Pending.Add(int64(n))
	}
}

// speaksHTTP reports whether a client without TLS began with an HTTP/1 request.
func speaksHTTP(begin []byte) bool {
	switch string(begin[:4]) {
	case "GET ", "HEAD", "POST", "PUT ", "PATC", "DELE", "OPTI":
		return true
	}
	return false
}
