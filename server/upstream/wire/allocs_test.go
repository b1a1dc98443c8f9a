//go:build unix && !race

package wire

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
)

// The bounds are what an exchange takes today, and with TLS what the upstream of the test
// takes to read the request, too.
func TestAllocations_DirectExchange_AreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		secure *tls.Config
		bound  float64
	}{
		"plain":   {nil, 13},
		"TLS 1.2": {serverTLS(t, tls.VersionTLS12), 16},
		"TLS 1.3": {serverTLS(t, tls.VersionTLS13), 16},
	} {
		target := serve(t, c.secure, func(_ int, conn net.Conn) {
			request, response := make([]byte, 4<<10), []byte(okResponse)
			for {
				n, err := conn.Read(request)
				if err != nil || !bytes.HasSuffix(request[:n], []byte("{}")) {
					return
				}
				_, _ = conn.Write(response)
			}
		})
		d := newDirect(t, target)
		req, read := requestOf(post(target, "{}"), "{}"), make([]byte, 8)
		if got := testing.AllocsPerRun(500, func() {
			resp, err := d.RoundTrip(t.Context(), req, NewTracker())
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.ReadFull(resp.Body, read); n != 2 || err == nil {
				t.Fatal(n, err)
			}
		}); got > c.bound {
			t.Errorf("%s: %v allocations, want %v at most", name, got, c.bound)
		}
	}
}
