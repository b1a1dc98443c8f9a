// Package watch watches a ledger: how long its calls take, how they fail, what it
// holds, and whether it can be used at all.
package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/tracing"
)

const (
	// lookEvery is how often the records are counted, and probeEvery how often a lost
	// ledger is tried.
	lookEvery  = 15 * time.Second
	probeEvery = 2 * time.Second
	// patience is how long a look or a probe waits for the ledger.
	patience = 5 * time.Second
)

// Observer learns what happens to a ledger. It may be used by many goroutines.
type Observer interface {
	// LedgerCalled observes the end of a call to the ledger. The cause is empty
	// unless the ledger failed.
	LedgerCalled(ctx context.Context, operation string, took time.Duration, cause ledger.Cause)
	// LedgerLost observes that the ledger cannot be used any more, and LedgerBack that
	// it can again. They take turns.
	LedgerLost(cause ledger.Cause, err error)
	LedgerBack(cause ledger.Cause, lost time.Duration)
}

// Config is what a watch needs.
type Config struct {
	Store ledger.Store
	// Cause returns why the store could not be used, from its error.
	Cause    func(error) ledger.Cause
	Observer Observer
}

// Store is a ledger that is watched.
type Store struct {
	ledger.Store
	cfg   Config
	alarm chan struct{} // has a value when a call failed
	room  room

	mu     sync.Mutex
	health Health
}

var _ ledger.Store = (*Store)(nil)

// Health is the state of a ledger.
type Health struct {
	// Lost is why the ledger cannot be used, empty if it can; LostAt is since when.
	Lost   ledger.Cause
	LostAt time.Time
	// Stats is what the ledger held at LookedAt, which is zero if that is not known.
	Stats    ledger.Stats
	LookedAt time.Time
	Pool     ledger.Pool
	Room     ledger.Room
}

// New returns the store, watched. Its Run has to run.
func New(cfg Config) *Store {
	return &Store{Store: cfg.Store, cfg: cfg, alarm: make(chan struct{}, 1)}
}

// Health returns the state of the ledger as it was last seen. It asks nobody.
func (s *Store) Health() Health {
	s.mu.Lock()
	h := s.health
	s.mu.Unlock()
	h.Pool, h.Room = s.Store.Pool(), s.Store.Room()
	return h
}

// Run looks at the ledger until ctx ends. Whether the ledger is lost is decided here
// alone, by a probe after a call failed: many calls that fail at once are one loss.
// Whether a ledger has room is what most claims say.
func (s *Store) Run(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	probe := time.NewTicker(probeEvery)
	defer probe.Stop()
	if s.Look(ctx) != nil {
		s.probe(ctx)
	}
	for {
		var suspect bool
		select {
		case <-ctx.Done():
			return
		case <-s.alarm:
			// Probes are at least this far apart, whatever fails meanwhile.
			select {
			case <-probe.C:
				suspect = true
			case <-ctx.Done():
				return
			}
		case <-probe.C:
			suspect = s.Health().Lost != ""
		case <-look.C:
			suspect = s.Look(ctx) != nil
		}
		if suspect {
			s.probe(ctx)
		}
	}
}

// Look counts the records.
func (s *Store) Look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stats, err := s.Stats(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.health.Stats, s.health.LookedAt = ledger.Stats{}, time.Time{}
		return err
	}
	s.health.Stats, s.health.LookedAt = stats, time.Now()
	return nil
}

// probe finds out whether the ledger can be used, and tells when that changed.
func (s *Store) probe(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	err := ledger.Probe(bounded, s.Store)
	cancel()
	if ctx.Err() != nil {
		return
	}
	if short := s.room.verdict(); err == nil {
		err = short
	}
	s.mu.Lock()
	was, since := s.health.Lost, s.health.LostAt
	switch {
	case err == nil:
		s.health.Lost, s.health.LostAt = "", time.Time{}
	case was == "":
		s.health.Lost, s.health.LostAt = s.cfg.Cause(err), time.Now()
	default:
		s.health.Lost = s.cfg.Cause(err)
	}
	lost := s.health.Lost
	s.mu.Unlock()
	switch {
	case err != nil && was == "":
		s.cfg.Observer.LedgerLost(lost, err)
	case err == nil && was != "":
		s.cfg.Observer.LedgerBack(was, time.Since(since))
		_ = s.Look(ctx)
	}
}

// trace makes the span of a call, if it is part of a trace.
func (s *Store) trace(ctx context.Context, operation string, began time.Time, err error) {
	if !tracing.Sampled(ctx) {
		return
	}
	span := tracing.Begun(ctx, "ledger "+operation, began)
	if err != nil && !ledger.IsDecision(err) {
		tracing.Fail(span, string(s.cfg.Cause(err)))
	}
	span.End()
}

// done observes the end of a call.
func (s *Store) done(ctx context.Context, operation string, began time.Time, err error) {
	took := time.Since(began)
	s.trace(ctx, operation, began, err)
	if err == nil || ledger.IsDecision(err) {
		s.cfg.Observer.LedgerCalled(ctx, operation, took, "")
		return
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return // the caller left: nothing follows about the ledger
	}
	s.cfg.Observer.LedgerCalled(ctx, operation, took, s.cfg.Cause(err))
	select {
	case s.alarm <- struct{}{}:
	default:
	}
}
