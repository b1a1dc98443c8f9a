package server

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"testing"

	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/ledger"
)

// closingAuthenticator and closingLedger call closed when they are closed.
type closingAuthenticator struct {
	authn.Authenticator
	closed func()
}

func (a *closingAuthenticator) Close() error { a.closed(); return a.Authenticator.Close() }

type closingLedger struct {
	ledger.Store
	closed func()
}

func (l *closingLedger) Close() error { l.closed(); return l.Store.Close() }

// Calls under way need the authenticator, and it needs the ledger's key.
func TestAuthenticator_IsClosedOnceAfterTheCallsAndBeforeTheLedger(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Server){
		"never run": func(_ *testing.T, s *Server) { s.Close(); s.Close() },
		"run": func(t *testing.T, s *Server) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
			s.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Defaults()
			cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr, cfg.Upstream.URL = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "http://127.0.0.1:1"
			s, err := New(t.Context(), cfg, Options{Version: "test", Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			var order []string
			s.authenticator = &closingAuthenticator{s.authenticator, func() {
				order = append(order, "authenticator")
				for _, addr := range []net.Addr{s.GRPCAddr(), s.HTTPAddr()} {
					if c, err := new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "tcp", addr.String()); err == nil {
						_ = c.Close()
						t.Errorf("%s takes calls that need the authenticator", addr)
					}
				}
			}}
			s.ledger = &closingLedger{s.ledger, func() { order = append(order, "ledger") }}
			end(t, s)
			if want := []string{"authenticator", "ledger"}; !slices.Equal(order, want) {
				t.Errorf("closed %v, want %v", order, want)
			}
		})
	}
}
