package wire

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A connection on which nothing comes back is given up long before the call.
func TestTransport_HandshakeWithoutAReply_IsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := NewTransport(Config{Dial: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			t.Cleanup(func() { _ = far.Close() })
			return near, nil
		}}, new(Connections))
		defer transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://diga.example", nil)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		resp, err := transport.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if took := time.Since(begun); err == nil || took != 5*time.Second {
			t.Errorf("got %v after %v, want an error after 5 s", err, took)
		}
	})
}
