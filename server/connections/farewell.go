package connections

import (
	"encoding/binary"
	"math"
	"time"

	"golang.org/x/net/http2"
)

// Some clients fail the calls that they are about to send when they learn that the
// connection takes no more (GOAWAY): these calls never leave them, and fail without
// a verdict. A client that waits for its responses is about to send nothing. So when
// gRPC says that a connection ends, because of a drain, of its age or because it is
// idle, the responses are held back until the client has sent no call for a while,
// and then until it has taken notice.
//
// How long that is depends on the client: one whose machine is busy takes its time to
// send what a response leads to. It acknowledges pings no sooner. A while is therefore
// a number of round trips.
//
// hyper, below tonic, learns of the end by the first call that it fails. So one
// response is let through alone, and the others when the client has had the time to
// turn away.
const (
	hushRounds  = 2
	hushRound   = 20 * time.Millisecond // at least
	longestHush = 500 * time.Millisecond
)

// farewell is how far the end of a connection has been told.
type farewell int

const (
	staying farewell = iota
	leaving          // the client knows
	left             // and has had its first response since
)

// Write writes whole responses in between where the connection ends.
func (c *watchedConn) Write(p []byte) (written int, err error) {
	for c.farewell == staying {
		from, to, ok := c.out.find(p[written:], saysGoodbye)
		if !ok {
			break
		}
		c.farewell = leaving
		if err := c.sendPart(p, &written, from); err != nil {
			return written, err
		}
		c.hush(true)
		if err := c.sendPart(p, &written, to-from); err != nil {
			return written, err
		}
		c.hush(false)
	}
	if c.farewell == leaving {
		if _, to, ok := c.out.find(p[written:], endsCall); ok {
			c.farewell = left
			if err := c.sendPart(p, &written, to); err != nil {
				return written, err
			}
			c.hush(false)
		}
	}
	return written, c.sendPart(p, &written, len(p)-written)
}

// sendPart sends the next n bytes of p.
func (c *watchedConn) sendPart(p []byte, written *int, n int) error {
	n, err := c.send(p[*written:][:n])
	*written += n
	return err
}

// saysGoodbye reports whether the frame says that the connection will end, and that
// the calls sent meanwhile are served.
func saysGoodbye(frame []byte) bool {
	const id = frameHeader
	return http2.FrameType(frame[3]) == http2.FrameGoAway && len(frame) >= id+8 &&
		binary.BigEndian.Uint32(frame[id:])&math.MaxInt32 == math.MaxInt32 &&
		http2.ErrCode(binary.BigEndian.Uint32(frame[id+4:])) == http2.ErrCodeNo
}

// endsCall reports whether the frame is the end of a call.
func endsCall(frame []byte) bool {
	const end = http2.FlagHeadersEndStream | http2.FlagHeadersEndHeaders
	return http2.FrameType(frame[3]) == http2.FrameHeaders && http2.Flags(frame[4])&end == end
}

// pingFrame is a ping of its own.
var pingFrame = []byte("\x00\x00\x08\x06\x00\x00\x00\x00\x00farewell")

// hush writes nothing but pings for hushRounds round trips. If quiet, these are round
// trips in which the client begins no call.
func (c *watchedConn) hush(quiet bool) {
	end := time.Now().Add(longestHush)
	for n := 0; n < hushRounds && time.Now().Before(end); n++ {
		calls := c.calls.Load()
		if _, err := c.send(pingFrame); err != nil {
			return // the next write says so
		}
		c.awaitAcks(end)
		if quiet && c.calls.Load() != calls {
			n = -1
		}
	}
}

// awaitAcks returns when hushRound has passed and the client has acknowledged all
// pings, or at the end.
func (c *watchedConn) awaitAcks(end time.Time) {
	timer := time.NewTimer(hushRound)
	defer timer.Stop()
	<-timer.C
	timer.Reset(time.Until(end))
	for c.acks.Load() < int64(c.out.pings) {
		select {
		case <-c.acked:
		case <-timer.C:
			return
		}
	}
}

// heard tells the farewell what came from the client.
func (c *watchedConn) heard(calls, acks int) {
	c.calls.Store(int64(calls))
	if c.acks.Swap(int64(acks)) == int64(acks) {
		return
	}
	select {
	case c.acked <- struct{}{}:
	default:
	}
}
