package clients

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// balancer forwards connections, as a balancer of TCP connections before several
// digates does, and counts what passes.
type balancer struct {
	ln          net.Listener
	target      atomic.Pointer[string]
	connected   chan struct{} // closed at the first connection
	connections atomic.Int64
	responses   atomic.Int64 // bytes that went to clients

	mu   sync.Mutex
	open []net.Conn
	wg   sync.WaitGroup
}

func newBalancer(t *testing.T, target string) *balancer {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{ln: ln, connected: make(chan struct{})}
	b.target.Store(&target)
	b.wg.Go(b.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		b.mu.Lock()
		for _, c := range b.open {
			_ = c.Close()
		}
		b.mu.Unlock()
		b.wg.Wait()
	})
	return b
}

func (b *balancer) address() string { return b.ln.Addr().String() }

// turn makes new connections go to another target. Those that are there stay.
func (b *balancer) turn(target string) { b.target.Store(&target) }

func (b *balancer) accept() {
	for {
		client, err := b.ln.Accept()
		if err != nil {
			return
		}
		if b.connections.Add(1) == 1 {
			close(b.connected)
		}
		server, err := net.Dial("tcp", *b.target.Load())
		if err != nil {
			_ = client.Close()
			continue
		}
		b.mu.Lock()
		b.open = append(b.open, client, server)
		b.mu.Unlock()
		b.wg.Go(func() { forward(server, client, new(atomic.Int64)) })
		b.wg.Go(func() { forward(client, server, &b.responses) })
	}
}

// forward copies what one side sends to the other, up to its end.
func forward(to, from net.Conn, count *atomic.Int64) {
	_, _ = io.Copy(counter{to, count}, from)
	_ = to.(*net.TCPConn).CloseWrite()
}

type counter struct {
	io.Writer
	count *atomic.Int64
}

func (c counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.count.Add(int64(n))
	return n, err
}
