package web

import (
	"context"
	"net/http"
	"time"

	"github.com/digate/digate/server/stall"
)

// response is the response to a call. Between writes, only the call's own deadline limits
// its duration.
type response struct {
	http.ResponseWriter

	control *http.ResponseController
	writing stall.Guard
}

func newResponse(w http.ResponseWriter, timeout time.Duration) *response {
	control := http.NewResponseController(w)
	return &response{w, control, stall.Guard{Control: control, Timeout: timeout}}
}

// begin replaces the server's time limits, which are for REST requests, by those of a
// call. A stream of messages may arrive for as long as the call lasts.
func (r *response) begin(ctx context.Context, readTimeout time.Duration, stream bool) {
	r.writing.End()
	deadline, ok := ctx.Deadline()
	if read := time.Now().Add(readTimeout); !stream && (!ok || read.Before(deadline)) {
		deadline = read
	}
	_ = r.control.SetReadDeadline(deadline) // zero means none
}

// arrived removes the time limit on the arrival of a request. Otherwise it would close a
// connection that only waits for its response.
func (r *response) arrived() { _ = r.control.SetReadDeadline(time.Time{}) }

// end limits the time for the rest of the response after the call has ended.
func (r *response) end() { r.writing.Begin() }

// Write implements [http.ResponseWriter].
func (r *response) Write(p []byte) (int, error) {
	r.writing.Begin()
	n, err := r.ResponseWriter.Write(p)
	r.writing.End()
	return n, err
}

// Flush implements [http.Flusher].
func (r *response) Flush() {
	r.writing.Begin()
	_ = r.control.Flush()
	r.writing.End()
}

// Unwrap gives [http.ResponseController] access to the connection.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }
