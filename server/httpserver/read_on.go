package httpserver

import (
	"io"
	"net/http"
	"time"
)

const (
	// readOnTime is how long a refused request is read on.
	readOnTime = 10 * time.Second
	// readOnTimes is how many times the size of the largest request is read of it.
	readOnTimes = 16
)

// ReadOn returns a handler that reads on and drops what is left of the body of a
// request that next refused. Many clients (Python's http.client is one) send all
// before they read anything: were the connection closed with a part of the body
// unread, its reset would take the response from them. The writer of the response must be
// telemetry's, which knows its status.
func ReadOn(next http.Handler, maxRequest int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		// HTTP/2 ends the stream alone, without a reset of the connection.
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

// statusReader knows the status of its response, as telemetry's statusWriter does.
type statusReader interface{ Status() int }
