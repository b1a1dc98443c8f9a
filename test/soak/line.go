package soak

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"
)

// line connects digate to the upstream. It is a proxy of bare sockets. It reads just
// enough to know the call, and then does what the script says.
type line struct {
	script   *script
	addr     string
	upstream string
	certs    *certificates // nil for plain TCP

	mu       sync.Mutex
	ln       net.Listener // nil while the upstream is away
	open     map[net.Conn]bool
	attempts map[int]int
	met      met
	ordinal  int
	live     bool // connections meet their faults
	ended    bool
	wg       sync.WaitGroup
	down     chan struct{} // closed with the line

	restarting sync.Mutex
}

// newLine returns a listening line to the upstream. Its port lies outside the range
// of the kernel's outgoing connections, so that no other process takes it during a
// restart.
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

// begin switches the faults of connections on.
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
			l.met.all[f.kind]++
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

// add adds a connection to those that a restart resets.
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

// restart takes the upstream away for a while. The next restart begins no sooner
// than the same time after it is back.
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

// pause waits. It reports whether the line is still up.
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

// attempt returns the fault of the next attempt of the call or errand with a key.
func (l *line) attempt(key int) (fault, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.attempts[key]
	l.attempts[key]++
	f := l.script.attempt(key, n)
	l.met.all[f.kind]++
	if n == 0 {
		l.met.first[f.kind]++
	}
	return f, n
}

// faults returns the faults that requests and connections met.
func (l *line) faults() met {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.met
}

// requests returns how many requests came.
func (l *line) requests() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, attempts := range l.attempts {
		n += attempts
	}
	return n
}

// idle reports whether no connection is open.
func (l *line) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open) == 0
}

// reset ends a connection with a TCP reset.
func reset(c net.Conn) {
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// end closes a connection in order, or resets it.
func end(c net.Conn, fin bool) {
	if !fin {
		reset(c)
		return
	}
	_ = c.Close()
}

// serve carries one connection from digate.
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
	_ = c.Close() // with TLS's close_notify, which remove does not send
}
