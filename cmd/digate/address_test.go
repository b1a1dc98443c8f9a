package main

import (
	"net"
	"testing"
)

func TestDialable_UnspecifiedAddress_IsLoopback(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		ip   net.IP
		want string
	}{
		{net.IPv6unspecified, "127.0.0.1:80"},
		{net.IPv4zero, "127.0.0.1:80"},
		{net.IPv4(10, 0, 0, 1), "10.0.0.1:80"},
		{net.IPv6loopback, "[::1]:80"},
	} {
		if got := dialable(&net.TCPAddr{IP: row.ip, Port: 80}); got != row.want {
			t.Errorf("%s: %s, want %s", row.ip, got, row.want)
		}
	}
}
