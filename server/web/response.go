package web

import (
	"context"
	"net/http"
	"time"
)

// response is the response to a call. A write fails if the caller takes nothing of it for
// the stall time. Between writes, only the call's own deadline bounds it.
type response struct {
	http.ResponseWriter

	control *http.ResponseController
	stall   time.Duration
}

// begin sets the bounds of a call in place of the server's, which are for REST requests. A
// stream of messages may arrive for as long as the call lasts.
func (r *response) begin(ctx context.Context, readTimeout time.Duration, stream bool) {
	_ = r.control.SetWriteDeadline(time.Time{})
	deadline, ok := ctx.Deadline()
	if read := time.Now().Add(readTimeout); !stream && (!ok || read.Before(deadline)) {
		deadline = read
	}
	_ = r.control.SetReadDeadline(deadline) // zero for none
}

// arrived lifts the bound on the arrival of a request, which would end a connection that
// only waits for its response.
func (r *response) arrived() { _ = r.control.SetReadDeadline(time.Time{}) }

// end bounds the time of what is still to be written when the call has ended.
func (r *response) end() { _ = r.control.SetWriteDeadline(time.Now().Add(r.stall)) }

// Write implements [http.ResponseWriter].
func (r *response) Write(p []byte) (int, error) {
	_ = r.control.SetWriteDeadline(time.Now().Add(r.stall))
	n, err := r.ResponseWriter.Write(p)
	_ = r.control.SetWriteDeadline(time.Time{})
	return n, err
}

// Flush implements [http.Flusher].
func (r *response) Flush() {
	_ = r.control.SetWriteDeadline(time.Now().Add(r.stall))
	_ = r.control.Flush()
	_ = r.control.SetWriteDeadline(time.Time{})
}

// Unwrap lets [http.ResponseController] reach the connection.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }
