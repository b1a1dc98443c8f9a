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
	// ledgerStart is how long the ledger may take to be there at start.
	ledgerStart = 30 * time.Second
	// claimLease is how long a claim lasts after its server died.
	claimLease = 15 * time.Second
	// The ledger is swept this often, this many records at a time.
	sweepEvery = time.Minute
	sweepBatch = 500
)

// OwnerGone returns how long after the end of a call's lease its server may still be
// sending it. longestCall is the longest time that a call of the server takes: no more
// than [setting.Longest], which is what a server's settings allow.
func OwnerGone(longestCall time.Duration) time.Duration {
	return min(longestCall, setting.Longest) + claimLease
}

// openLedger opens the ledger and puts it, with its sweeping, on the stack.
func (s *Server) openLedger(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerStart)
	defer cancel()
	l, err := backend.Open(ctx, s.cfg.Ledger)
	if err != nil {
		return err // which names the flag
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
	_ = s.watch.Look(ctx) // what it holds is known from the start; Run tells of a loss
	s.telemetry.WatchLedger(s.watch)
	return nil
}

// recordKey returns the key of the record that a caller's request id of a method
// has.
func (s *Server) recordKey(ctx context.Context, m copies.Method, requestID string) (ledger.Digest, error) {
	caller, err := authn.ID(ctx)
	if err != nil {
		return ledger.Digest{}, err
	}
	return s.keys.Key(caller, m.LedgerName(), requestID), nil
}

// formerLedger returns what keeps the record of a call while callers change from being
// their tokens: the record counts that the token makes, too.
func (s *Server) formerLedger(ctx context.Context, m copies.Method, requestID string, key ledger.Digest) (*former.Ledger, error) {
	p := authn.FromContext(ctx)
	if p == nil || p.Token().IsZero() {
		return nil, authn.ErrNoCaller()
	}
	return former.New(s.ledger, key, s.keys.Key(s.keys.Caller(p.Token().Reveal()), m.LedgerName(), requestID)), nil
}

// newIntegration makes the contract's service, and puts the calls that continue
// without a caller on the stack.
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

// marks returns what settles doubts, nil if the settings do not ask for it.
func (s *Server) marks() *copies.Marks {
	if !s.cfg.Copies.Mark() {
		return nil
	}
	return &copies.Marks{Mark: s.keys.Mark, Upstream: s.upstream, Ledger: s.ledger, Observer: s.telemetry, BeforeSettle: s.beforeResolve(), Log: s.log}
}

func (s *Server) integrationConfig(made integration.Copies) integration.Config {
	cfg := integration.Config{
		Settings: s.cfg.Integration, Marked: s.cfg.Copies.Mark(), Timeout: s.cfg.Upstream.Timeout,
		Upstream: s.upstream, Copies: made, Observer: knowing{s.telemetry, s}, Draining: s.untilDrain.Done(),
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

// sweep removes the records that are past their retention, until the context
// ends.
func (s *Server) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	failing := false // the log says so once
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
