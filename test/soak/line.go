package soak

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"
)

// line connects digate to the upstream: a proxy of bare sockets that reads just
// enough of what it carries to know whose call it is, and then does what the
// script says.
type line struct {
	script   *script
	addr     string
	upstream string
	certs    *certificates // nil for plain TCP

	mu       sync.Mutex
	ln       net.Listener // nil while the upstream is away
	open     map[net.Conn]bool
	attempts map[int]int
	ordinal  int
	live     bool // connections meet their faults
	ended    bool
	wg       sync.WaitGroup
	down     chan struct{} // closed with the line

	restarting sync.Mutex
}

// newLine returns a line to the upstream, listening. Its port lies outside the
// range that the kernel takes for outgoing connections, so that nobody else has
// it while a restart lasts.
func newLine(s *script, upstream string, certs *certificates) (*line, error) {
	l := &line{
		script: s, upstream: upstream, certs: certs,
		open: make(map[net.Conn]bool), attempts: make(map[int]int), down: make(chan struct{}),
	}
	r := s.rand(ofConnection, -1, 0)
	var err error
	for range 100 {
		l.addr = fmt.Sprintf("127.0.0.1:%d", 12000+r.IntN(20000))
		if err = l.listen(); err == nil {
			return l, nil
		}
	}
	return nil, err
}

func (l *line) listen() error {
	ln, err := net.Listen("tcp", l.addr)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return ln.Close()
	}
	l.ln = ln
	l.wg.Go(func() { l.accept(ln) })
	return nil
}

// begin lets connections meet their faults from now on.
func (l *line) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live = true
}

func (l *line) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		f := fault{}
		if l.live {
			f = l.script.connection(l.ordinal)
			l.ordinal++
		}
		l.mu.Unlock()
		if !l.add(c) {
			continue
		}
		l.wg.Go(func() {
			defer l.remove(c)
			l.serve(c, f)
		})
	}
}

// add takes a connection among those that a restart resets.
func (l *line) add(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ln == nil {
		reset(c)
		return false
	}
	l.open[c] = true
	return true
}

func (l *line) remove(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// cut ends the listener and every connection.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ln != nil {
		_ = l.ln.Close()
		l.ln = nil
	}
	for c := range l.open {
		reset(c)
	}
}

// restart takes the upstream away for a while, and lets it be there for as long
// before the next restart begins.
func (l *line) restart(away time.Duration) error {
	l.restarting.Lock()
	defer l.restarting.Unlock()
	l.cut()
	if !l.pause(away) {
		return nil
	}
	if err := l.listen(); err != nil {
		return err
	}
	l.pause(away)
	return nil
}

// close ends the line. It may be called more than once.
func (l *line) close() {
	l.mu.Lock()
	if !l.ended {
		l.ended = true
		close(l.down)
	}
	l.mu.Unlock()
	l.cut()
	l.wg.Wait()
}

// pause waits, and says whether the line is still there.
func (l *line) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.down:
		return false
	}
}

// attempt is what happens to the next attempt of the call.
func (l *line) attempt(call int) (fault, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.attempts[call]
	l.attempts[call]++
	return l.script.attempt(call, n), n
}

// requests is how many requests came.
func (l *line) requests() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, attempts := range l.attempts {
		n += attempts
	}
	return n
}

// idle says whether no connection is open.
func (l *line) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open) == 0
}

// reset ends a connection in the hard way.
func reset(c net.Conn) {
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// end closes in order, or resets.
func end(c net.Conn, fin bool) {
	if !fin {
		reset(c)
		return
	}
	_ = c.Close()
}

// serve carries one connection of digate's.
func (l *line) serve(c net.Conn, f fault) {
	switch f.kind {
	case resetAccept:
		reset(c)
		return
	case silentAccept:
		<-l.down
		return
	}
	if l.certs != nil {
		var ok bool
		if c, ok = l.handshake(c, f); !ok {
			return
		}
	}
	up, err := net.Dial("tcp", l.upstream)
	if err != nil {
		return
	}
	if !l.add(up) {
		return
	}
	defer l.remove(up)
	from := bufio.NewReaderSize(c, 4<<10)
	for l.exchange(c, from, up) {
	}
	_ = c.Close() // with TLS's goodbye, which remove does not know of
}
