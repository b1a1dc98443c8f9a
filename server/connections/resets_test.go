package connections

import (
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/peers"
)

func TestResetCredit_ResetsBeyondThoseThatFinish_AreTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newResetCredit(resetBurst)
		if !c.spend(resetBurst) || c.spend(1) {
			t.Error("the burst does not hold")
		}
		c.left = 0
		time.Sleep(2 * time.Second)
		if !c.spend(2*resetRate) || c.spend(1) {
			t.Error("the rate does not hold")
		}
		c.left = 0
		c.earn(3)
		if !c.spend(3) || c.spend(1) {
			t.Error("calls that finish do not count")
		}
		if c.earn(2 * resetBurst); !c.spend(resetBurst) || c.spend(1) {
			t.Error("the credit grows beyond the burst")
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
func TestPenalties_ConnectionsOfOneNetwork_ShareAPenaltyAndALogLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		p := newPenalties(slog.New(slog.NewTextHandler(&log, nil)))
		all := newConnections(p, Config{Arrivals: NewArrivals(0)})
		credit := func(peer string) float64 { return all.watch(peerConn{peer: peer}).(*watchedConn).credit.left }
		penalize := func() { p.add(peers.Address(peerConn{peer: "2001:db8::1"}.RemoteAddr()), "it did") }
		for range 3 {
			penalize()
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
		penalize()
		if got := strings.Count(log.String(), "\n"); got != 2 {
			t.Errorf("%d log lines after the penalty, want 2: %s", got, &log)
		}
	})
}

// Whoever has many addresses makes the server forget no more than the oldest penalties.
func TestPenalties_MoreThan10000Addresses_TheOldestAloneIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPenalties(slog.New(slog.DiscardHandler))
		address := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}) }
		penalized := func(n int) bool { return p.burst(address(n)) == resetBurstAfter }
		for n := range 10_000 {
			p.add(address(n), "it did")
		}
		p.add(address(0), "it did again") // so that address 1 is the oldest
		for n := range 10_000 {
			if !penalized(n) {
				t.Fatalf("address %d is forgotten before there are too many", n)
			}
		}
		p.add(address(10_000), "it did")
		for n := range 10_001 {
			if got, want := penalized(n), n != 1; got != want {
				t.Errorf("address %d has a penalty: %v, want %v", n, got, want)
			}
		}
		if got := len(p.closed); got != 10_000 {
			t.Errorf("%d addresses are remembered", got)
		}
	})
}
