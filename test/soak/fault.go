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
	silentAfter  // the upstream did it and was not heard of again
	truncated    // the response breaks off
	pageBefore   // a proxy's HTML instead of the upstream
	pageAfter    // a proxy's HTML instead of the upstream's response
	saidTwice    // the response comes twice
	closesIdle   // the connection is closed soon after the response
	garbage      // the response is not HTTP
	// What the upstream does.
	slow        // it does it, later than callers wait
	errorBefore // 500, and it was not done
	errorAfter  // 500, and it was done
	refusal     // 4xx
	storm       // 429 with Retry-After
	busy        // 503 in the envelope
	noID        // it did it and does not say what
	// What a connection meets.
	resetAccept  // reset as soon as it is there
	silentAccept // accepted, and nothing is ever read
	wrongCert    // the certificate of somebody else
	cutHello     // the TLS handshake is cut
	silentHello  // the TLS handshake gets no reply
	plainHello   // the TLS handshake gets a reply in plain HTTP
)

// fault is what happens to one attempt, or to one connection.
type fault struct {
	kind kind
	// wait is the time of a latency, of a slow upstream, or until a close.
	wait time.Duration
	// rate is bytes per second.
	rate int
	// cut is where to stop, in thousandths of what there is.
	cut int
	// fin closes in order instead of resetting.
	fin bool
	// bare leaves the length out of a response that is cut.
	bare bool
	// status is that of a response.
	status int
	// retryAfter is in seconds from now; date says it as a date, and a negative
	// one is not said.
	retryAfter int
	date       bool
}
