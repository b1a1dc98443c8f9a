package httpserver

import (
	"io"
	"net/http"
	"time"
)

const (
	// readOnTime is how long the rest of a refused request is read.
	readOnTime = 10 * time.Second
	// readOnTimes is how much of it is read, as a multiple of the largest request.
	readOnTimes = 16
)

// ReadOn returns a handler that reads and drops the rest of the body of a request that
// next refused. Many clients (such as Python's http.client) send the whole request before
// they read anything: if the connection were closed with an unread part of the body, the
// reset would destroy the response. The response writer must be telemetry's, which knows
// its status.
func ReadOn(next http.Handler, maxRequest int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		// HTTP/2 ends only the stream, without resetting the connection.
		if r.ContentLength == 0 || r.ProtoMajor != 1 || w.(statusReader).Status() < http.StatusBadRequest {
			return
		}
		control := http.NewResponseController(w)
		if control.Flush() != nil || control.SetReadDeadline(time.Now().Add(readOnTime)) != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, r.Body, readOnTimes*maxRequest)
	})
}

// statusReader returns the status of its response, as telemetry's statusWriter does.
type statusReader interface{ Status() int }
