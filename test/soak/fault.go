package soak

import "time"

// kind is one way in which an exchange with the upstream goes wrong.
type kind int

const (
	clean kind = iota
	// What the line does to an exchange.
	latency      // each way is late, by a jittered time
	bandwidth    // each way is slow, by the byte
	resetBefore  // reset before the upstream saw the request
	resetAfter   // reset after the upstream did it
	silentBefore // nothing more, and the upstream never saw it
	silentAfter  // the upstream did it, and no response came
	truncated    // the response breaks off
	pageBefore   // a proxy's HTML instead of the upstream
	pageAfter    // a proxy's HTML instead of the upstream's response
	sentTwice    // the response comes twice
	closesIdle   // the connection is closed soon after the response
	garbage      // the response is not HTTP
	// What the upstream does.
	slow        // it does it, later than callers wait
	errorBefore // 500, and it was not done
	errorAfter  // 500, and it was done
	refusal     // 4xx
	storm       // 429 with Retry-After
	busy        // 503 in the envelope
	noID        // it did it, and the response has no id
	deletesLast // after a full page of a list, it deletes the last item of it
	// What a connection meets.
	resetAccept  // reset as soon as it is there
	silentAccept // accepted, and nothing is ever read
	wrongCert    // another server's certificate
	cutHello     // the TLS handshake is cut
	silentHello  // the TLS handshake gets no reply
	plainHello   // the TLS handshake gets a reply in plain HTTP
	kinds        // how many kinds there are
)

// fault is the fault of one attempt or one connection.
type fault struct {
	kind kind
	// wait is the time of a latency, of a slow upstream, or until a close.
	wait time.Duration
	// rate is bytes per second.
	rate int
	// cut is where to stop, in thousandths of the whole.
	cut int
	// fin means an orderly close instead of a reset.
	fin bool
	// bare means that a response that is cut has no length.
	bare bool
	// status is that of the response.
	status int
	// retryAfter is in seconds from now. With date it is sent as a date. A negative
	// one is not sent.
	retryAfter int
	date       bool
}
