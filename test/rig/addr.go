package rig

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddr returns a loopback address that nobody listens on. Its port lies outside
// the range of the kernel's outgoing connections, so that none of them takes it
// while a server there is started again.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	var config net.ListenConfig
	var err error
	for range 100 {
		var ln net.Listener
		if ln, err = config.Listen(tb.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(20000))); err != nil {
			continue
		}
		if err := ln.Close(); err != nil {
			tb.Fatal(err)
		}
		return ln.Addr().String()
	}
	tb.Fatal(err)
	return ""
}
