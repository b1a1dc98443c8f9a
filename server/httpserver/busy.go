package httpserver

import (
	"net"
	"net/http"
	"sync"
)

// busy tracks the connections of an HTTP server on which a request may be in progress or
// arriving. net/http's Shutdown drops a request that was already read, and its client
// gets no outcome. So the server is shut down only when no connection is busy.
type busy struct {
	mu    sync.Mutex
	none  sync.Cond
	count int
	conns map[net.Conn]bool // whether the connection is busy
}

func newBusy() *busy {
	b := &busy{conns: make(map[net.Conn]bool)}
	b.none.L = &b.mu
	return b
}

// changed is the server's ConnState hook.
func (b *busy) changed(conn net.Conn, state http.ConnState) {
	now := state == http.StateNew || state == http.StateActive
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.conns[conn]
	switch {
	case state == http.StateClosed || state == http.StateHijacked:
		delete(b.conns, conn)
	case before != now || state == http.StateNew:
		b.conns[conn] = now
	}
	switch {
	case now && !before:
		b.count++
	case before && !now:
		if b.count--; b.count == 0 {
			b.none.Broadcast()
		}
	}
}

// wait returns when no connection is busy.
func (b *busy) wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.count > 0 {
		b.none.Wait()
	}
}
