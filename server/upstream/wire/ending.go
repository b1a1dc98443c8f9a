package wire

import (
	"errors"
	"io"
	"time"
)

// ending is why a connection ended.
type ending uint32

const (
	notEnded        ending = iota
	endedIdle              // nobody needed it any more
	endedByUpstream        // the upstream closed it, or said that it would
	endedByFailure         // the exchange on it failed or was cut short, or TLS failed
	endings
)

// endingNames are the endings as the metrics name them.
var endingNames = [endings]string{endedIdle: "idle", endedByUpstream: "upstream", endedByFailure: "failed"}

// endsBy notes why the connection ends. What is noted first is right: a failure makes others.
func (c *connection) endsBy(why ending) { c.why.CompareAndSwap(uint32(notEnded), uint32(why)) }

// failedBy notes that the connection ends by the error of a read or a write.
func (c *connection) failedBy(err error) {
	if errors.Is(err, io.EOF) {
		c.endsBy(endedByUpstream)
		return
	}
	c.endsBy(endedByFailure)
}

// use notes that a request has the connection.
func (c *connection) use() {
	c.used.Store(true)
	c.users.Add(1)
}

// free notes that a request of the transport has it no more.
func (c *connection) free() {
	c.freed.Store(time.Now().UnixNano())
	c.users.Add(-1)
}

// conclude returns why the connection ends that is closed now. Where nothing was noted,
// net/http closes it and does not say why.
func (c *connection) conclude() ending {
	switch {
	case c.users.Load() > 0:
		c.endsBy(endedByFailure)
	case c.timeout > 0 && time.Since(time.Unix(0, c.freed.Load())) >= c.timeout*9/10:
		c.endsBy(endedIdle)
	case c.used.Load():
		c.endsBy(endedByUpstream)
	default:
		c.endsBy(endedByFailure) // TLS did
	}
	return ending(c.why.Load())
}
