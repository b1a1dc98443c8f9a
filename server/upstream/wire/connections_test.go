package wire

import (
	"net"
	"testing"
)

func TestConnections_Cut_EndsThemAndLetsNoOtherBegin(t *testing.T) {
	a, b := net.Pipe()
	t.Cleanup(func() { _ = b.Close() })
	s := new(Connections)
	if !s.add(a) {
		t.Fatal("the first was not taken in")
	}
	s.Cut()
	if _, err := a.Write([]byte("x")); err == nil {
		t.Error("it is still open")
	}
	if s.add(b) {
		t.Error("another was taken in")
	}
}
