package connections

import (
	"encoding/binary"
	"math"
	"time"

	"golang.org/x/net/http2"
)

// When some clients learn that a connection accepts no more calls (GOAWAY), they fail the
// calls that they are about to send: these are never sent, and fail without an outcome. A
// client that waits for responses is not about to send anything. So when gRPC announces
// the end of a connection, because of a drain, its age or because it is idle, the
// responses are held back until the client has sent no call for a while, and then until
// it has noticed the announcement.
//
// The right length of this while depends on the client: on a busy machine, it takes
// longer to send the calls that follow a response. It also takes longer to acknowledge
// pings. The while is therefore a number of round trips.
//
// hyper, which tonic uses, notices the end only when its first call fails. So a single
// response is sent first, and the others when the client has had the time to switch to
// another connection.
const (
	hushRounds  = 2
	hushRound   = 20 * time.Millisecond // at least
	longestHush = 500 * time.Millisecond
)

// farewell is the progress in announcing the end of a connection.
type farewell int

const (
	staying farewell = iota
	leaving          // the client knows
	left             // and has had its first response since
)

// Write writes whole responses one by one while the connection ends.
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

// saysGoodbye reports whether the frame says that the connection will end, and that calls
// sent meanwhile are still served.
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

// pingFrame is a ping of digate's own.
var pingFrame = []byte("\x00\x00\x08\x06\x00\x00\x00\x00\x00farewell")

// hush writes only pings for hushRounds round trips. If quiet, only round trips count in
// which the client begins no call.
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

// awaitAcks returns when hushRound has passed and the client has acknowledged all pings,
// or at the time end.
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

// heard records frames that came from the client.
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
