package rolling

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/digate/digate/test/await"
)

const (
	// lookEvery is how often a balancer asks its backends whether they are ready.
	lookEvery = 300 * time.Millisecond
	// lookTime is how long it waits for the response.
	lookTime = 10 * time.Second
)

// backend is a replica as a balancer sees it.
type backend struct {
	addr, admin string
	ready       bool
}

// balancer forwards each connection to the next backend that was ready when it last
// looked. It knows no protocol and does not try another backend where one refuses.
type balancer struct {
	ln     net.Listener
	mu     sync.Mutex
	turn   int
	of     []*backend
	looked chan struct{} // closed and replaced after each look
	open   map[net.Conn]bool
	wg     sync.WaitGroup
}

func newBalancer(t *testing.T, of ...*backend) *balancer {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{ln: ln, of: of, looked: make(chan struct{}), open: make(map[net.Conn]bool)}
	ctx, cancel := context.WithCancel(context.Background())
	b.wg.Go(b.accept)
	for _, backend := range of {
		b.wg.Go(func() { b.look(ctx, backend) })
	}
	t.Cleanup(func() {
		cancel()
		_ = ln.Close()
		b.mu.Lock()
		for c := range b.open {
			_ = c.Close()
		}
		b.mu.Unlock()
		b.wg.Wait()
	})
	return b
}

func (b *balancer) addr() string { return b.ln.Addr().String() }

// look asks a backend again and again.
func (b *balancer) look(ctx context.Context, of *backend) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: lookTime}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		ready := false
		if resp, err := client.Get("http://" + of.admin + "/readyz"); err == nil {
			ready = resp.StatusCode == http.StatusOK
			_ = resp.Body.Close()
		}
		b.mu.Lock()
		of.ready = ready
		close(b.looked)
		b.looked = make(chan struct{})
		b.mu.Unlock()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// await returns once the backend with this admin listener is ready, or is not.
func (b *balancer) await(t *testing.T, admin string, ready bool) {
	t.Helper()
	patience := time.After(await.Patience)
	for {
		b.mu.Lock()
		looked := b.looked
		reached := slices.ContainsFunc(b.of, func(of *backend) bool { return of.admin == admin && of.ready == ready })
		b.mu.Unlock()
		if reached {
			return
		}
		select {
		case <-looked:
		case <-patience:
			t.Fatalf("a backend does not become ready: %v", ready)
		}
	}
}

// next returns the address of the next backend that is ready, empty if none is.
func (b *balancer) next() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.of {
		b.turn++
		if of := b.of[b.turn%len(b.of)]; of.ready {
			return of.addr
		}
	}
	return ""
}

func (b *balancer) accept() {
	for {
		client, err := b.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", b.next())
		if err != nil {
			_ = client.Close()
			continue
		}
		b.mu.Lock()
		b.open[client], b.open[server] = true, true
		b.mu.Unlock()
		b.wg.Go(func() { b.join(client, server) })
	}
}

// join forwards both ways until both sides have ended.
func (b *balancer) join(client, server net.Conn) {
	var wg sync.WaitGroup
	forward := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_ = to.(*net.TCPConn).CloseWrite()
	}
	wg.Go(func() { forward(server, client) })
	wg.Go(func() { forward(client, server) })
	wg.Wait()
	b.mu.Lock()
	delete(b.open, client)
	delete(b.open, server)
	b.mu.Unlock()
	_, _ = client.Close(), server.Close()
}
