package wire

import (
	"context"
	"net/http/httptrace"
	"sync"
)

// Tracker follows one attempt over the connections that net/http gives it. An
// HTTP/1.1 attempt has one connection, or two if net/http moved on because
// nothing could be written to the first.
type Tracker struct {
	mu     sync.Mutex
	conn   *connection
	mark   int64 // the connection's count when it was given
	inMark int64 // the bytes received on it by then
	left   bool  // a byte left on a connection before this one
	opaque bool  // the connection does not count its bytes; any may have left
	// all are the connections that the transport gives the attempt one of, and waiting tells
	// whether it has none yet. All is nil where the attempt is not the transport's.
	waiting bool
	all     *Connections
}

// NewTracker returns a tracker for one attempt.
func NewTracker() *Tracker { return new(Tracker) }

// Context returns ctx with the tracker in it, for the attempt's request through the
// transport. [Tracker.Done] has to follow.
func (t *Tracker) Context(ctx context.Context, all *Connections) context.Context {
	t.all, t.waiting = all, true
	all.awaited.Add(1)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: t.gotConn})
}

func (t *Tracker) gotConn(info httptrace.GotConnInfo) {
	cc := countedBelow(info.Conn)
	if cc == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.opaque = true
		return
	}
	cc.classify.Do(func() { cc.shared = isHTTP2(info.Conn) })
	t.take(cc)
	t.use(cc)
}

// take notes that the attempt has a connection, for the load.
func (t *Tracker) take(cc *connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil || cc == t.conn {
		return
	}
	t.give()
	cc.use()
}

// give notes that the attempt has no connection any more. It is called with mu held.
func (t *Tracker) give() {
	if t.waiting {
		t.waiting = false
		t.all.awaited.Add(-1)
	}
	if t.conn != nil {
		t.conn.free()
	}
}

// Last notes that the upstream takes no other request on the connection.
func (t *Tracker) Last() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil {
		t.conn.endsBy(endedByUpstream)
	}
}

// Done ends the attempt, whose response was read or did not come. It is for the load, and
// does nothing where the attempt was not the transport's.
func (t *Tracker) Done() {
	if t.all == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.give()
	t.all = nil
}

// use makes a connection that of the attempt.
func (t *Tracker) use(cc *connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cc == t.conn {
		return // HTTP/2 may report a connection twice
	}
	if t.conn != nil && t.conn.count() > t.mark {
		t.left = true
	}
	t.conn, t.mark, t.inMark = cc, cc.count(), cc.received.Load()
}

// Sent reports whether the attempt that failed with err may have reached the
// upstream: a byte may have left, and HTTP/2 does not guarantee that the request
// went unprocessed.
func (t *Tracker) Sent(ctx context.Context, err error) bool { return t.wrote(ctx) && !unprocessed(err) }

// wrote reports whether a byte of the failed attempt may have left. A connection
// of the attempt's own (HTTP/1.1) is ended first. A shared one (HTTP/2) goes on:
// other calls' bytes count as the attempt's, and so does the end of the context,
// since net/http then returns without waiting for the goroutine that writes. Both
// err towards UNKNOWN.
func (t *Tracker) wrote(ctx context.Context) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.opaque || t.left:
		return true
	case t.conn == nil:
		return false
	case t.conn.shared:
		return ctx.Err() != nil || t.conn.count() > t.mark
	default:
		return t.conn.settle() > t.mark
	}
}

// sent reports whether a byte of the attempt left on the connection that it has, which
// is its own.
func (t *Tracker) sent() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conn.settle() > t.mark
}

// Stale reports whether the response was on the connection before the request,
// and ends such a connection. An upstream that responded twice to an earlier
// request, or sent more than its response's length, left those bytes there, and
// net/http takes them for the response to the next request.
func (t *Tracker) Stale() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn == nil || t.conn.shared || t.conn.received.Load() > t.inMark {
		return false
	}
	_ = t.conn.settle()
	return true
}
