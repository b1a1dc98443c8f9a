package wire

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fullListener returns a loopback address that takes no more connections: Linux
// drops the packet of a further one, as a firewall does.
func fullListener(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprint("127.0.0.1:", name.(*unix.SockaddrInet4).Port)
	for range 10 {
		c, err := (&net.Dialer{Timeout: 200 * time.Millisecond}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Skip("this system takes every connection")
	return ""
}

// A firewall that drops packets is found out long before the call ends.
func TestTransport_DialWithoutAReply_IsGivenUp(t *testing.T) {
	t.Parallel()
	transport := NewTransport(Config{}, new(Connections))
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+fullListener(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	resp, err := transport.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if took := time.Since(begun); err == nil || took < 4*time.Second || took > 15*time.Second {
		t.Errorf("got %v after %v, want an error after 5 s", err, took)
	}
}
