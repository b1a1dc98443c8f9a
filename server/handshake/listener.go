// Package handshake makes the TLS handshakes of a listener, before its server sees the
// connections. So they have the same bounds and are counted alike for every protocol.
package handshake

import (
	"container/list"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Config is what a listener needs.
type Config struct {
	// TLS returns what a new connection is served with. It is asked for each.
	TLS func() *tls.Config
	// Timeout bounds a handshake.
	Timeout time.Duration
	// MaxPending bounds the handshakes under way. Beyond it the oldest one ends: those
	// that stall never keep a new one waiting.
	MaxPending int
	// NeedsProtocol refuses a client that names no protocol (ALPN).
	NeedsProtocol bool
	// Plain is written to a client that speaks HTTP without TLS.
	Plain []byte
	// Ended, if set, is told how each handshake ended. The error is nil for [Done].
	Ended func(result Result, peer net.Addr, err error)
}

// Listener accepts connections whose handshake is done. They are [*tls.Conn].
type Listener struct {
	net.Listener
	Config

	begin    sync.Once
	under    sync.WaitGroup // handshakes
	accepted chan accepted
	closed   chan struct{}
	close    sync.Once

	mu      sync.Mutex
	pending list.List // of *pending, the oldest first
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

// pending is a handshake under way.
type pending struct {
	net.Conn
	displaced bool
}

// Listen returns a listener that accepts the connections of ln.
func Listen(ln net.Listener, cfg Config) *Listener {
	return &Listener{Listener: ln, Config: cfg, accepted: make(chan accepted), closed: make(chan struct{})}
}

// Accept returns the next connection whose handshake is done.
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
	for e := l.pending.Front(); e != nil; e = e.Next() {
		_ = e.Value.(*pending).Close()
	}
	return err
}

// Drain takes no more connections. Accept returns those whose handshake is under way, and
// then [net.ErrClosed]. Close ends the handshakes.
func (l *Listener) Drain() { _ = l.Listener.Close() }

// acceptAll begins a handshake with each connection until the listener is closed. An
// error is that of the next Accept, whose caller knows when to try again.
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

// offer hands over to Accept, and reports whether it took it.
func (l *Listener) offer(a accepted) bool {
	select {
	case l.accepted <- a:
		return true
	case <-l.closed:
		return false
	}
}

// serve makes the handshake with a connection and hands it over.
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

// A request without TLS is read on for a moment, so that its client reads the response
// before it hears that the connection is closed.
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

// add counts a handshake that begins, unless the listener is closed. remove ends that,
// and reports whether the handshake had to end for a newer one.
func (l *Listener) add(conn net.Conn) (remove func() (displaced bool), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return nil, false
	default:
	}
	p := &pending{Conn: conn}
	e := l.pending.PushBack(p)
	if l.pending.Len() > l.MaxPending {
		oldest := l.pending.Remove(l.pending.Front()).(*pending)
		oldest.displaced = true
		_ = oldest.Close()
	}
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !p.displaced {
			l.pending.Remove(e)
		}
		return p.displaced
	}, true
}

// speaksHTTP reports whether a client that speaks no TLS began with a request of
// HTTP/1.
func speaksHTTP(begin []byte) bool {
	switch string(begin[:4]) {
	case "GET ", "HEAD", "POST", "PUT ", "PATC", "DELE", "OPTI":
		return true
	}
	return false
}
