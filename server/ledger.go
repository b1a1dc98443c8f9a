package server

import (
	"context"
	"time"

	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/integration"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/ledger/former"
	"github.com/digate/digate/server/ledger/watch"
	"github.com/digate/digate/server/ledgerservice"
	"github.com/digate/digate/server/lifecycle"
	"github.com/digate/digate/server/setting"
)

const (
	// ledgerStart is how long the server waits for the ledger at start.
	ledgerStart = 30 * time.Second
	// claimLease is how long a claim stays valid after its server has died.
	claimLease = 15 * time.Second
	// How often the ledger is swept, and how many records one sweep deletes at most.
	sweepEvery = time.Minute
	sweepBatch = 500
)

// OwnerGone returns how long after a lease expires the server that held it may still be
// sending the call. longestCall is the maximum duration of the server's calls; settings
// allow at most [setting.Longest].
func OwnerGone(longestCall time.Duration) time.Duration {
	return min(longestCall, setting.Longest) + claimLease
}

// openLedger opens the ledger and puts it on the stack, together with its sweeper.
func (s *Server) openLedger(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerStart)
	defer cancel()
	l, err := backend.Open(ctx, s.cfg.Ledger)
	if err != nil {
		return err // the error names the flag
	}
	s.watch = watch.New(watch.Config{Store: l, Cause: l.Cause, Observer: s.telemetry})
	s.ledger, s.keys, s.engine = s.watch, l.Keys, l.Engine
	s.lifecycle.Push(&lifecycle.Part{Name: "ledger", Close: func() error {
		if err := s.ledger.Close(); err != nil {
			s.log.Warn("closing the ledger failed", "error", err.Error())
		}
		return nil
	}})
	s.lifecycle.Push(
		&lifecycle.Part{Name: "sweeping the ledger", Serve: func(ctx context.Context) error { s.sweep(ctx); return nil }},
		&lifecycle.Part{Name: "watching the ledger", Serve: func(ctx context.Context) error { s.watch.Run(ctx); return nil }},
	)
	_ = s.watch.Look(ctx) // a failure is reported by Run, and shows in metrics until then
	s.telemetry.WatchLedger(s.watch)
	return nil
}

// recordKey returns the key of the ledger record for a caller's request id of a method.
func (s *Server) recordKey(ctx context.Context, m copies.Method, requestID string) (ledger.Digest, error) {
	caller, err := authn.ID(ctx)
	if err != nil {
		return ledger.Digest{}, err
	}
	return s.keys.Key(caller, m.LedgerName(), requestID), nil
}

// formerLedger returns the ledger for calls while the identity of callers changes from
// their tokens to their names. It also finds records under the identity that the token
// gives.
func (s *Server) formerLedger(ctx context.Context, m copies.Method, requestID string, key ledger.Digest) (*former.Ledger, error) {
	p := authn.FromContext(ctx)
	if p == nil || p.Token().IsZero() {
		return nil, authn.ErrNoCaller()
	}
	return former.New(s.ledger, key, s.keys.Key(s.keys.Caller(p.Token().Reveal()), m.LedgerName(), requestID)), nil
}

// newIntegration creates the IntegrationService. It puts the calls that continue without
// their callers on the stack.
func (s *Server) newIntegration() (*integration.Service, error) {
	coordinator, err := copies.New(s.copiesConfig())
	if err != nil {
		return nil, err
	}
	s.lifecycle.Push(&lifecycle.Part{
		Name:  "copies",
		Drain: func() { coordinator.Wait(context.Background()) },
		Close: func() error { coordinator.Close(); return nil },
	})
	return integration.New(s.integrationConfig(coordinator))
}

func (s *Server) copiesConfig() copies.Config {
	cfg := copies.Config{
		Upstream: s.upstream, Ledger: s.ledger, Key: s.recordKey, Caller: s.callerOf,
		Fingerprint: func(request []byte) ledger.Digest { return s.keys.Fingerprint(request) },
		Timeout:     s.cfg.Upstream.Timeout, Lease: claimLease, Marks: s.marks(), Observer: s.telemetry, Log: s.log,
	}
	if s.cfg.CallersWereTokens() {
		cfg.LedgerOf = func(ctx context.Context, m copies.Method, requestID string, key ledger.Digest) (copies.Ledger, error) {
			return s.formerLedger(ctx, m, requestID, key)
		}
	}
	return cfg
}

// marks returns the marks by which doubts are settled, or nil if the settings do not
// enable them.
func (s *Server) marks() *copies.Marks {
	if !s.cfg.Copies.Mark() {
		return nil
	}
	return &copies.Marks{Mark: s.keys.Mark, Upstream: s.upstream, Ledger: s.ledger, Observer: s.telemetry, BeforeSettle: s.beforeResolve(), Log: s.log}
}

func (s *Server) integrationConfig(made integration.Copies) integration.Config {
	cfg := integration.Config{
		Settings: s.cfg.Integration, Marked: s.cfg.Copies.Mark(), Timeout: s.cfg.Upstream.Timeout,
		Upstream: s.upstream, Copies: made, Observer: rememberingObserver{s.telemetry, s}, Draining: s.beforeDrain.Done(),
	}
	if s.access != nil {
		cfg.Admit = s.access.Item
	}
	return cfg
}

func (s *Server) ledgerServiceConfig() ledgerservice.Config {
	cfg := ledgerservice.Config{
		Ledger: s.ledger, Upstream: s.upstream, Marks: s.marks(), Key: s.recordKey, Caller: authn.ID,
		Store: s.engine.Name, Durable: s.engine.Durable, Retention: s.cfg.Ledger.Retention,
		OwnerGone: OwnerGone(s.cfg.LongestCall()), BeforeResolve: s.beforeResolve(), Log: s.log,
	}
	if s.cfg.CallersWereTokens() {
		cfg.LedgerOf = func(ctx context.Context, m copies.Method, requestID string, key ledger.Digest) (ledgerservice.Ledger, error) {
			return s.formerLedger(ctx, m, requestID, key)
		}
	}
	return cfg
}

// sweep deletes records whose retention has passed, until the context ends.
func (s *Server) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	failing := false // so that a lasting failure is logged once
	for {
		for n := sweepBatch; n == sweepBatch && ctx.Err() == nil; {
			var err error
			if n, err = s.ledger.Sweep(ctx, sweepBatch); err != nil && ctx.Err() == nil && !failing {
				s.log.Warn("sweeping the ledger failed", "error", err.Error())
			}
			failing = err != nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
