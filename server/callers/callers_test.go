package callers

import (
	"net"
	"strconv"
	"testing"
)

func TestKnown_Callers_AreBounded(t *testing.T) {
	k := New()
	for i := range maxKnown + 100 {
		k.Add(strconv.Itoa(i))
	}
	if len(k.numbers) != maxKnown {
		t.Errorf("%d callers are known", len(k.numbers))
	}
}

func TestKnown_Identify_TellsKnownCallersAndAddressesApart(t *testing.T) {
	k := New()
	k.Add("a")
	k.Add("b")
	ids := make(map[uint64]string)
	for _, c := range []struct {
		token, address string
		known, again   bool
	}{
		{"a", "10.0.0.1", true, false}, {"a", "10.0.0.2", true, true}, {"b", "10.0.0.1", true, false},
		{"c", "10.0.0.1", false, false}, {"d", "10.0.0.1", false, true}, {"", "10.0.0.2", false, false},
		{"e", "2001:db8::1", false, false}, {"e", "2001:db8::2", false, true},
	} {
		id, known := k.Identify(&net.TCPAddr{IP: net.ParseIP(c.address), Port: 7}, c.token)
		if _, again := ids[id]; known != c.known || again != c.again {
			t.Errorf("%q from %s: known is %v, seen before is %v", c.token, c.address, known, again)
		}
		ids[id] = c.token
	}
}
