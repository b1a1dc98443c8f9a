// Package stall makes writes fail if the other side reads nothing for too long: on a
// connection, or in an HTTP response.
package stall

import (
	"net/http"
	"time"
)

// Guard limits each write of an HTTP response by the time for which the client may read
// nothing. It replaces the server's write deadline, which is for short responses. Between
// writes there is no deadline: over HTTP/2, a deadline ends a stream even if nothing is
// waiting to be written.
type Guard struct {
	Control *http.ResponseController
	Timeout time.Duration
}

// Begin begins a write.
func (g Guard) Begin() { _ = g.Control.SetWriteDeadline(time.Now().Add(g.Timeout)) }

// End ends a write, or removes the server's deadline before the first one.
func (g Guard) End() { _ = g.Control.SetWriteDeadline(time.Time{}) }
