package wire

import (
	"context"
	"net/http/httptrace"
	"sync"
)

// Tracker follows one attempt over the connections that net/http uses for it. An HTTP/1.1
// attempt uses one connection, or two if net/http switched because nothing could be
// written to the first.
type Tracker struct {
	mu     sync.Mutex
	conn   *connection
	mark   int64 // bytes written to the connection before the attempt
	inMark int64 // bytes received on it before the attempt
	left   bool  // a byte was sent on an earlier connection
	opaque bool  // the connection does not count its bytes: any may have been sent
	// all is the set of connections of the transport, and waiting reports whether the
	// attempt has none of them yet. all is nil if another transport makes the attempt.
	waiting bool
	all     *Connections
}

// NewTracker returns a tracker for one attempt.
func NewTracker() *Tracker { return new(Tracker) }

// Context returns ctx with the tracker, for an attempt through the transport. Call
// [Tracker.Done] after the attempt.
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

// take records that the attempt has a connection, for Load.
func (t *Tracker) take(cc *connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil || cc == t.conn {
		return
	}
	t.give()
	cc.use()
}

// give records that the attempt has no connection any more. The caller must hold mu.
func (t *Tracker) give() {
	if t.waiting {
		t.waiting = false
		t.all.awaited.Add(-1)
	}
	if t.conn != nil {
		t.conn.free()
	}
}

// Last records that the upstream accepts no more requests on the connection.
func (t *Tracker) Last() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil {
		t.conn.endsBy(endedByUpstream)
	}
}

// Done ends the attempt after its response was read or failed. It is only for Load, and
// does nothing if the attempt does not use the transport.
func (t *Tracker) Done() {
	if t.all == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.give()
	t.all = nil
}

// use sets the attempt's connection.
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

// Sent reports whether an attempt that failed with err may have reached the upstream: a
// byte may have been sent, and HTTP/2 does not guarantee that the request was not
// processed.
func (t *Tracker) Sent(ctx context.Context, err error) bool { return t.wrote(ctx) && !unprocessed(err) }

// wrote reports whether a byte of the failed attempt may have been sent. If only the
// attempt uses the connection (HTTP/1.1), wrote closes it first. If the connection is
// shared (HTTP/2), it stays open, and wrote also returns true for bytes of other calls
// and if the context has ended, since net/http then returns without waiting for the
// goroutine that writes. Both can only turn NOT_SENT into UNKNOWN.
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

// sent reports whether a byte of the attempt was sent on its connection, which no other
// attempt uses.
func (t *Tracker) sent() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conn.settle() > t.mark
}

// Stale reports whether the response was on the connection before the request, and closes
// such a connection. An upstream that sent two responses to an earlier request, or more
// than the length of its response, left these bytes there, and net/http takes them for
// the response to the next request.
func (t *Tracker) Stale() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn == nil || t.conn.shared || t.conn.received.Load() > t.inMark {
		return false
	}
	_ = t.conn.settle()
	return true
}
