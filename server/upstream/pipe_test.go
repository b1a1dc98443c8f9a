package upstream

import (
	"cmp"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/digate/digate/server/certs"
)

// pipes is a listener whose connections are pipes in the process, so that a test
// in a synctest bubble can use the real transport: time passes only once both
// ends wait.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newPipes() *pipes {
	return &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	time.Sleep(time.Nanosecond) // so that an exchange takes time
	client, server := net.Pipe()
	select {
	case p.accepted <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (*pipes) Addr() net.Addr { return pipeAddr{} }

// bufferedPipes is pipes whose accepted ends have a buffer for what they write,
// since over HTTP/2 both ends may write at once before either reads.
type bufferedPipes struct{ *pipes }

func (p bufferedPipes) Accept() (net.Conn, error) {
	c, err := p.pipes.Accept()
	if err != nil {
		return nil, err
	}
	b := &buffered{Conn: c, written: make(chan []byte, 64), closed: make(chan struct{})}
	go b.pump()
	return b, nil
}

type buffered struct {
	net.Conn
	written chan []byte
	closed  chan struct{}
	once    sync.Once
}

func (b *buffered) Write(p []byte) (int, error) {
	select {
	case b.written <- append([]byte(nil), p...):
		return len(p), nil
	case <-b.closed:
		return 0, net.ErrClosed
	}
}

func (b *buffered) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Conn.Close()
}

func (b *buffered) pump() {
	for {
		select {
		case p := <-b.written:
			if _, err := b.Conn.Write(p); err != nil {
				return
			}
		case <-b.closed:
			return
		}
	}
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "127.0.0.1:1" }

// newPiped returns a scripted upstream on pipes, and a client of it.
func newPiped(t *testing.T, respond func(net.Conn, string) bool, change ...func(*Config)) (*fakeUpstream, *Client) {
	t.Helper()
	ln := newPipes()
	v := newUpstreamOn(t, ln, nil, respond)
	return v, newClientOver(t, ln, v.url(), change...)
}

// newClientOver returns a client whose connections are the listener's pipes.
func newClientOver(t *testing.T, ln *pipes, url string, change ...func(*Config)) *Client {
	t.Helper()
	cfg := testConfig(url)
	for _, f := range change {
		f(&cfg)
	}
	c := newClient(t, url, change...)
	c.direct.Store(nil)
	c.wire.Dial = ln.dial
	c.Use(cmp.Or(cfg.Material, new(certs.Material)))
	return c
}
