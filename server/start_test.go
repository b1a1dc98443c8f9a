package server_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digate/digate/server/config"
)

// silentDNS lets no name server of the process respond until the end of the test.
// The channel is closed once a name has been looked up.
func silentDNS(t *testing.T) (asked <-chan struct{}) {
	t.Helper()
	const silent = "name server of a test"
	var once sync.Once
	first, over := make(chan struct{}), make(chan struct{})
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		once.Do(func() { close(first) })
		select {
		case <-over: // a lookup outlasts its caller
		case <-ctx.Done():
		}
		return nil, errors.New(silent)
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		close(over)
	})
	return first
}

func TestNew_NameServerIsSilent_EndsWithItsContextAndNamesThePart(t *testing.T) {
	key := filepath.Join(t.TempDir(), "ledger.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("0a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"ledger": {func(c *config.Config) {
			c.Ledger.Spec, c.Ledger.KeyFile = "postgres://u:hunter2@database.test/d", key
		}, `--ledger: cannot open database "d" of PostgreSQL at database.test:5432: `},
		"gRPC listener":  {func(c *config.Config) { c.GRPCAddr = "grpc.test:0" }, "--grpc-addr: listen tcp: lookup grpc.test: "},
		"REST listener":  {func(c *config.Config) { c.HTTPAddr = "rest.test:0" }, "--http-addr: listen tcp: lookup rest.test: "},
		"admin listener": {func(c *config.Config) { c.AdminAddr = "admin.test:0" }, "--admin-addr: listen tcp: lookup admin.test: "},
	} {
		t.Run(name, func(t *testing.T) {
			asked := silentDNS(t)
			cfg := settings(t, "http://127.0.0.1:1")
			c.change(&cfg)
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := newServer(ctx, cfg, new(record))
				ended <- err
			}()
			select {
			case <-asked:
			case err := <-ended:
				t.Fatalf("the start ended by itself: %v", err)
			}
			stop := errors.New("told to stop")
			begun := time.Now()
			cancel(stop)
			err := <-ended
			if took := time.Since(begun); took > time.Second {
				t.Errorf("the start went on for %v", took)
			}
			if err == nil || !errors.Is(err, stop) || !strings.HasPrefix(err.Error(), "the start was interrupted (told to stop): "+c.want) {
				t.Errorf("got %v", err)
			} else if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error has the password")
			}
		})
	}
}
