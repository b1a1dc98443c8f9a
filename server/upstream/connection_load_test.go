package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/upstream/wire"
	"github.com/digate/digate/test/await"
)

// overEachWay runs a test for each way in which exchanges are made: by the client itself or
// by net/http, in plain text or over TLS. Send makes one.
func overEachWay(t *testing.T, test func(t *testing.T, secure *tls.Config, trust func(*Config), send func(context.Context, *Client) *result)) {
	t.Helper()
	secure, roots := serverTLS(t)
	for _, way := range []struct {
		name   string
		secure *tls.Config
		long   string
	}{
		{"plain", nil, ""}, {"TLS", secure, ""}, {"plain by net/http", nil, strings.Repeat("n", 9<<10)}, {"TLS by net/http", secure, strings.Repeat("n", 9<<10)},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			test(t, way.secure, trusting(roots), func(ctx context.Context, c *Client) *result {
				return copyWith(ctx, c, &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: &way.long})
			})
		})
	}
}

// awaitLoad waits until the connections are such.
func awaitLoad(t *testing.T, c *Client, want wire.Load) {
	t.Helper()
	want.Dials = withAll(want.Dials, "connected", "failed")
	want.Closed = withAll(want.Closed, "idle", "upstream", "failed")
	err := await.Poll(await.Patience, nil, func() error {
		got := c.Load().Connections
		if got.InUse != want.InUse || got.Idle != want.Idle || got.Awaited != want.Awaited || !maps.Equal(got.Dials, want.Dials) || !maps.Equal(got.Closed, want.Closed) {
			return fmt.Errorf("got %+v, want %+v", got, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// withAll returns the counts, with those that are missing.
func withAll(counts map[string]uint64, names ...string) map[string]uint64 {
	all := make(map[string]uint64)
	for _, name := range names {
		all[name] = counts[name]
	}
	return all
}

// once is a count of one.
func once(name string) map[string]uint64 { return map[string]uint64{name: 1} }

func TestLoad_ConnectionWithARequest_IsInUseAndThenIdle(t *testing.T) {
	t.Parallel()
	overEachWay(t, func(t *testing.T, secure *tls.Config, trust func(*Config), send func(context.Context, *Client) *result) {
		came, release := make(chan struct{}), make(chan struct{})
		v := newUpstream(t, secure, func(c net.Conn, _ string) bool {
			came <- struct{}{}
			<-release
			_, err := io.WriteString(c, created())
			return err == nil
		})
		c := newClient(t, v.url(), trust, func(cfg *Config) { cfg.IdleTimeout = 2 * time.Second })
		awaitLoad(t, c, wire.Load{})
		for range 2 { // the second has the connection of the first
			done := make(chan *result)
			go func() { done <- send(t.Context(), c) }()
			<-came
			awaitLoad(t, c, wire.Load{InUse: 1, Dials: once("connected")})
			release <- struct{}{}
			if r := <-done; r.err != nil {
				t.Error(r.err)
			}
			awaitLoad(t, c, wire.Load{Idle: 1, Dials: once("connected")})
		}
		awaitLoad(t, c, wire.Load{Dials: once("connected"), Closed: once("idle")})
	})
}

func TestLoad_ConnectionThatEnds_IsCountedByWhy(t *testing.T) {
	t.Parallel()
	for name, why := range map[string]struct {
		closed  string
		respond func(net.Conn, string) bool
		then    func(*Client)
	}{
		"Diga announces the end": {"upstream", responding(ok201("Connection: close\r\n", wholeResponse)), nil},
		"it is reset":            {"failed", func(c net.Conn, _ string) bool { reset(c); return false }, nil},
		"there is no HTTP":       {"failed", responding("no HTTP\r\n\r\n"), nil},
		"the client is done":     {"idle", responding(created()), (*Client).Close},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overEachWay(t, func(t *testing.T, secure *tls.Config, trust func(*Config), send func(context.Context, *Client) *result) {
				v := newUpstream(t, secure, why.respond)
				c := newClient(t, v.url(), trust, func(cfg *Config) { cfg.MaxAttempts = 1 })
				send(t.Context(), c)
				if why.then != nil {
					why.then(c)
				}
				err := await.Poll(await.Patience, nil, func() error {
					if got := c.Load().Connections.Closed; got[why.closed] == 0 {
						return fmt.Errorf("got %v, want %s", got, why.closed)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestLoad_IdleConnectionThatDigaEnds_IsCountedAsDigas(t *testing.T) {
	t.Parallel()
	overEachWay(t, func(t *testing.T, secure *tls.Config, trust func(*Config), send func(context.Context, *Client) *result) {
		end := make(chan struct{})
		v := newUpstream(t, secure, func(c net.Conn, _ string) bool {
			_, _ = io.WriteString(c, created())
			<-end
			return false
		})
		c := newClient(t, v.url(), trust)
		if r := send(t.Context(), c); r.err != nil {
			t.Fatal(r.err)
		}
		awaitLoad(t, c, wire.Load{Idle: 1, Dials: once("connected")})
		close(end)
		// The client itself notices that when it needs the connection.
		err := await.Poll(await.Patience, nil, func() error {
			send(t.Context(), c)
			if got := c.Load().Connections.Closed; got["upstream"] == 0 {
				return fmt.Errorf("got %v", got)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestLoad_CallerThatLeaves_EndsItsConnection(t *testing.T) {
	t.Parallel()
	overEachWay(t, func(t *testing.T, secure *tls.Config, trust func(*Config), send func(context.Context, *Client) *result) {
		ctx, leave := context.WithCancel(t.Context())
		v := newUpstream(t, secure, func(c net.Conn, _ string) bool { leave(); untilClosed(c); return false })
		c := newClient(t, v.url(), trust)
		send(ctx, c)
		awaitLoad(t, c, wire.Load{Dials: once("connected"), Closed: once("failed")})
	})
}

// A call waits for its connection until TLS is agreed on.
func TestLoad_CallWithoutAConnection_WaitsForOne(t *testing.T) {
	t.Parallel()
	overEachWay(t, func(t *testing.T, secure *tls.Config, trust func(*Config), send func(context.Context, *Client) *result) {
		if secure == nil {
			return
		}
		end := make(chan struct{})
		addr := oneConnection(t, func(c net.Conn) { <-end; reset(c) })
		c := newClient(t, "https://"+addr, trust, func(cfg *Config) { cfg.MaxAttempts = 1 })
		done := make(chan *result)
		go func() { done <- send(t.Context(), c) }()
		awaitLoad(t, c, wire.Load{Idle: 1, Awaited: 1, Dials: once("connected")})
		close(end)
		if r := <-done; r.err == nil {
			t.Error("a copy without a handshake")
		}
		err := await.Poll(await.Patience, nil, func() error {
			if l := c.Load().Connections; l.Awaited != 0 || l.Closed["failed"] != 1 {
				return fmt.Errorf("%+v", l)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		// Nobody listens there any more.
		send(t.Context(), c)
		awaitLoad(t, c, wire.Load{Dials: map[string]uint64{"connected": 1, "failed": 1}, Closed: once("failed")})
	})
}
