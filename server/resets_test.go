package server

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

func TestFrameScanner_BytesInAnyPieces_CountsTheSameFrames(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(http2.ClientPreface)
	f := http2.NewFramer(&b, nil)
	for i := range uint32(10) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: []byte{1, 3, 3, 7}, EndHeaders: true})
		_ = f.WriteData(2*i+1, false, bytes.Repeat([]byte{3}, 100*int(i)))
		_ = f.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
	}
	for _, size := range []int{1, 2, 7, 9, 10, 100, b.Len()} {
		s, count := frameScanner{skip: len(http2.ClientPreface)}, 0
		for p := b.Bytes(); len(p) > 0; {
			n := min(size, len(p))
			count += s.scan(p[:n], isReset)
			p = p[n:]
		}
		if count != 10 {
			t.Errorf("in pieces of %d bytes: %d resets, want 10", size, count)
		}
	}
}

func TestWatchedConn_ResetsBeyondThoseThatFinish_AreTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &watchedConn{credit: resetBurst, most: resetBurst, since: time.Now()}
		if !c.spend(resetBurst) || c.spend(1) {
			t.Error("the burst does not hold")
		}
		c.credit = 0
		time.Sleep(2 * time.Second)
		if !c.spend(2*resetRate) || c.spend(1) {
			t.Error("the rate does not hold")
		}
	})
}

// peerConn is a connection of a peer.
type peerConn struct {
	net.Conn
	peer string
}

func (c peerConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.peer), Port: 7} }

// A host may have all addresses of an IPv6 network, and may connect again and again.
func TestResetGuard_ConnectionsOfOneNetwork_ShareAPenaltyAndALogLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		g := &resetGuard{
			log: slog.New(slog.NewTextHandler(&log, nil)), closed: make(map[netip.Addr]time.Time), open: make(map[*watchedConn]struct{}),
		}
		credit := func(peer string) float64 { return g.watch(peerConn{peer: peer}).(*watchedConn).credit }
		for range 3 {
			g.penalize(peerConn{peer: "2001:db8::1"})
		}
		if got := strings.Count(log.String(), "\n"); got != 1 {
			t.Errorf("%d log lines, want 1: %s", got, &log)
		}
		if got := credit("2001:db8::ffff:1"); got != resetBurstAfter {
			t.Errorf("the credit in the same network is %v", got)
		}
		if got := credit("2001:db8:0:1::1"); got != resetBurst {
			t.Errorf("the credit in another network is %v", got)
		}
		time.Sleep(resetPenalty)
		if got := credit("2001:db8::1"); got != resetBurst {
			t.Errorf("the credit after the penalty is %v", got)
		}
		g.penalize(peerConn{peer: "2001:db8::1"})
		if got := strings.Count(log.String(), "\n"); got != 2 {
			t.Errorf("%d log lines after the penalty, want 2: %s", got, &log)
		}
	})
}
