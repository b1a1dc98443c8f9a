package streams

import (
	"net"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/callers"
	"github.com/digate/digate/server/peers"
)

func host(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 7} }

// fill enters until there is no place and returns the places.
func fill(g *Gate, kind Class, peer net.Addr, token string) (places []Slot) {
	for {
		p, ok := g.Enter(kind, peer, token, nil)
		if !ok {
			return places
		}
		places = append(places, p)
	}
}

func TestGate_EachKindAndOpener_HasItsShare(t *testing.T) {
	for name, c := range map[string]struct {
		kind  Class
		token string
		known bool
		each  int // of one address or known caller
		all   int // of 100 of them
	}{
		"strangers' calls":   {Call, "a", false, 128, 512},
		"strangers' streams": {Stream, "a", false, 32, 128},
		"calls without one":  {Open, "", false, 8, 32},
		"watchers":           {Watch, "", false, 32, 256},
		"known calls":        {Call, "a", true, 512, 1024},
		"known streams":      {Stream, "a", true, 128, 256},
	} {
		g := New(1024, callers.New())
		all := 0
		for i := range 100 {
			token := c.token
			if token != "" {
				token += strconv.Itoa(i)
			}
			if c.known {
				g.callers.Add(token)
			}
			n := len(fill(g, c.kind, host("10.0.0."+strconv.Itoa(i)), token))
			if i == 0 && n != c.each {
				t.Errorf("%s: one has %d, want %d", name, n, c.each)
			}
			all += n
		}
		if all != c.all {
			t.Errorf("%s: all have %d, want %d", name, all, c.all)
		}
	}
}

// Strangers of any number leave room for those whom Diga knows.
func TestGate_StrangersEverywhere_LeaveRoomForKnownCallers(t *testing.T) {
	g := New(1024, callers.New())
	g.callers.Add("known")
	var places []Slot
	for i := range 300 {
		peer := host("10.0." + strconv.Itoa(i) + ".1")
		if i > 255 {
			peer = host("10.1." + strconv.Itoa(i-256) + ".1")
		}
		for _, kind := range []Class{Call, Stream, Open, Watch} {
			places = append(places, fill(g, kind, peer, "made up "+strconv.Itoa(i))...)
		}
	}
	if n := len(fill(g, Call, host("10.0.0.1"), "known")); n < 128 {
		t.Errorf("a known caller has %d places", n)
	}
	for _, p := range places {
		p.Leave()
	}
	if g.classes[ofStrangers].open != 0 || len(g.classes[ofStrangers].by) != 0 || len(g.classes[ofWatch].by) != 0 {
		t.Errorf("places were left: %v", g.classes[ofStrangers].by)
	}
}

func TestGate_RefusedForTheSumOfAll_TakesNothing(t *testing.T) {
	g := New(1024, callers.New())
	var places []Slot
	for i := range 4 { // of 128 places each
		places = append(places, fill(g, Call, host("10.0.0."+strconv.Itoa(i)), "")...)
	}
	g.callers.Add("one")
	places = append(places, fill(g, Call, host("10.0.1.1"), "one")...)
	g.callers.Add("another")
	for range 10 {
		if _, ok := g.Enter(Call, host("10.0.1.1"), "another", nil); ok {
			t.Fatal("there was room for another")
		}
	}
	for _, p := range places {
		p.Leave()
	}
	if n := g.all.Load(); n != 0 {
		t.Errorf("%d places are taken by nobody", n)
	}
}

func TestGate_AddressesOfOneIPv6Network_CountAsOne(t *testing.T) {
	g := New(1024, callers.New())
	fill(g, Call, host("2001:db8::1"), "a")
	if _, ok := g.Enter(Call, host("2001:db8::ffff:1"), "b", nil); ok {
		t.Error("another address of the same network got a place")
	}
	if _, ok := g.Enter(Call, host("2001:db8:0:1::1"), "b", nil); !ok {
		t.Error("another network got no place")
	}
	zoned := &net.TCPAddr{IP: net.ParseIP("2001:db8::2"), Zone: "eth0"}
	if _, ok := g.Enter(Call, zoned, "b", nil); ok {
		t.Error("an address with a zone got a place of its own")
	}
}

func TestGate_EnterAndLeave_AllocateNothing(t *testing.T) {
	g, peer := New(1024, callers.New()), host("10.0.0.1")
	if n := testing.AllocsPerRun(100, func() { p, _ := g.Enter(Call, peer, "a", nil); p.Leave() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A health check finds a place, whatever was opened and left before it.
func TestGate_OpenServices_OldestStreamEndsForANewOne(t *testing.T) {
	g := New(1024, callers.New()) // 32 of the open services, 8 of one address
	ended := make(map[string][]int)
	enter := func(peer string, i int) Slot {
		p, ok := g.Enter(Open, host(peer), "", func() { ended[peer] = append(ended[peer], i) })
		if !ok {
			t.Errorf("%s was refused", peer)
		}
		return p
	}
	var places []Slot
	for i := range 10 {
		places = append(places, enter("10.0.0.1", i))
	}
	if want := []int{0, 1}; !slices.Equal(ended["10.0.0.1"], want) {
		t.Errorf("ended %v, want %v", ended, want)
	}
	for i := range 32 {
		places = append(places, enter("10.0.1."+strconv.Itoa(i), i))
	}
	if len(ended["10.0.0.1"]) != 10 || len(ended) != 1 {
		t.Errorf("ended %v, want all of the first address", ended)
	}
	for _, p := range places {
		p.Leave()
	}
	if c := &g.classes[ofOpen]; g.all.Load() != 0 || c.open != 0 || len(c.by) != 0 || len(c.ending) != 0 {
		t.Errorf("left behind: %d, %+v, %+v", g.all.Load(), c.by, c.ending)
	}
}

// A stream is not worth ending for another, again and again: that is what keeps the
// server busy.
func TestGate_OneConnection_EndsFewStreamsOfOthers(t *testing.T) {
	const courtesies, courtesyInterval = 4, time.Second // as package peers shows them
	synctest.Test(t, func(t *testing.T) {
		g := New(1024, callers.New()) // 8 of one address
		for _, kind := range []Class{Open, Watch} {
			ended := 0
			enter := func(peer net.Addr) bool {
				_, ok := g.Enter(kind, peer, "", func() { ended++ })
				return ok
			}
			greedy := peers.New(host("10.0.0.1"))
			for range 1000 {
				enter(greedy)
			}
			if ended != courtesies {
				t.Errorf("kind %d: %d streams ended", kind, ended)
			}
			if !enter(peers.New(host("10.0.0.1"))) || ended != courtesies+1 {
				t.Errorf("kind %d: another connection got no place", kind)
			}
			time.Sleep(courtesyInterval)
			if !enter(greedy) || enter(greedy) {
				t.Errorf("kind %d: a while later, the connection must end one more", kind)
			}
			time.Sleep(time.Hour)
			ended = 0
			for range 1000 {
				enter(greedy)
			}
			if ended != courtesies {
				t.Errorf("kind %d: after an hour, %d streams ended", kind, ended)
			}
		}
	})
}

// Who has one watcher keeps it for as long as others have more.
func TestGate_RoomForANewStream_IsMadeByTheAddressWithTheMost(t *testing.T) {
	g := New(1024, callers.New()) // 256 watchers, 32 of one address
	lone := false
	g.Enter(Watch, host("10.0.0.1"), "", func() { lone = true })
	for i := range 9 {
		for range 32 {
			g.Enter(Watch, host("10.0.1."+strconv.Itoa(i)), "", func() {})
		}
	}
	if lone {
		t.Error("the only watcher of an address ended for others")
	}
}
