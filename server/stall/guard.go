// Package stall fails writes of which the other side takes nothing for too long: those on
// a connection, and those of an HTTP response.
package stall

import (
	"net/http"
	"time"
)

// Guard bounds each write of an HTTP response by the time for which the client may take
// nothing of it, in place of the server's deadline, which is for responses that are short.
// Between writes there is no deadline: over HTTP/2, a deadline ends a stream even if
// nothing waits to be written.
type Guard struct {
	Control *http.ResponseController
	Timeout time.Duration
}

// Begin begins a write.
func (g Guard) Begin() { _ = g.Control.SetWriteDeadline(time.Now().Add(g.Timeout)) }

// End ends a write, or lifts the server's deadline before the first one.
func (g Guard) End() { _ = g.Control.SetWriteDeadline(time.Time{}) }
