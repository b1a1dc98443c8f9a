package wire

import (
	"net"
	"testing"
)

func TestConnections_Cut_EndsThemAndLetsNoOtherBegin(t *testing.T) {
	a, b := net.Pipe()
	t.Cleanup(func() { _ = b.Close() })
	s := new(Connections)
	if !s.add(newConnection(a, s)) {
		t.Fatal("the first was not taken in")
	}
	s.Cut()
	if _, err := a.Write([]byte("x")); err == nil {
		t.Error("it is still open")
	}
	if s.add(newConnection(b, s)) {
		t.Error("another was taken in")
	}
}

// A server that opens connections for years must not remember those that ended.
func TestConnection_Closed_IsForgotten(t *testing.T) {
	a, b := net.Pipe()
	t.Cleanup(func() { _ = b.Close() })
	s := new(Connections)
	c := newConnection(a, s)
	if !s.add(c) || len(s.open) != 1 {
		t.Fatalf("%d are open, want 1", len(s.open))
	}
	if err := c.Close(); err != nil || len(s.open) != 0 {
		t.Errorf("%d are open, %v, want none", len(s.open), err)
	}
}
