package wire

import (
	"errors"
	"io"
	"time"
)

// ending is the reason why a connection ended.
type ending uint32

const (
	notEnded        ending = iota
	endedIdle              // nobody needed it any more
	endedByUpstream        // the upstream closed it, or announced that it would
	endedByFailure         // the exchange on it failed or was cut, or TLS failed
	endings
)

// endingNames are the names of the reasons in metrics.
var endingNames = [endings]string{endedIdle: "idle", endedByUpstream: "upstream", endedByFailure: "failed"}

// endsBy records why the connection ends. Only the first reason counts, because a failure
// can cause others.
func (c *connection) endsBy(why ending) { c.why.CompareAndSwap(uint32(notEnded), uint32(why)) }

// failedBy records that the connection ends because a read or a write failed.
func (c *connection) failedBy(err error) {
	if errors.Is(err, io.EOF) {
		c.endsBy(endedByUpstream)
		return
	}
	c.endsBy(endedByFailure)
}

// use records that a request uses the connection.
func (c *connection) use() {
	c.used.Store(true)
	c.users.Add(1)
}

// free records that a request of the transport has released the connection.
func (c *connection) free() {
	c.freed.Store(time.Now().UnixNano())
	c.users.Add(-1)
}

// conclude returns why the connection ended, when it is closed. If no reason was
// recorded, net/http closed it without giving one.
func (c *connection) conclude() ending {
	switch {
	case c.users.Load() > 0:
		c.endsBy(endedByFailure)
	case c.timeout > 0 && time.Since(time.Unix(0, c.freed.Load())) >= c.timeout*9/10:
		c.endsBy(endedIdle)
	case c.used.Load():
		c.endsBy(endedByUpstream)
	default:
		c.endsBy(endedByFailure) // TLS closed it
	}
	return ending(c.why.Load())
}
