package watch_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/ledgertest"
	"github.com/digate/digate/server/ledger/memory"
	"github.com/digate/digate/server/ledger/watch"
)

// breakable is a ledger that fails as err does, once it is set.
type breakable struct {
	ledger.Store
	mu         sync.Mutex
	err        error
	writesOnly bool
	fullFor    *ledger.Claim // there is no room for this claim
	probes     int
}

func (b *breakable) fail(err error) { b.mu.Lock(); b.err = err; b.mu.Unlock() }

func (b *breakable) failure(write bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.writesOnly && !write {
		return nil
	}
	return b.err
}

func (b *breakable) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	b.mu.Lock()
	b.probes++
	full := b.fullFor != nil && b.fullFor.Key == c.Key
	b.mu.Unlock()
	if full {
		return ledger.Record{}, false, ledger.ErrFull
	}
	if err := b.failure(true); err != nil {
		return ledger.Record{}, false, err
	}
	return b.Store.Claim(ctx, c)
}

func (b *breakable) Stats(ctx context.Context) (ledger.Stats, error) {
	if err := b.failure(false); err != nil {
		return ledger.Stats{}, err
	}
	return b.Store.Stats(ctx)
}

// observer writes down what it learns.
type observer struct {
	mu     sync.Mutex
	events []string
	failed map[string]ledger.Cause
	calls  []string
}

func (o *observer) LedgerCalled(_ context.Context, operation string, _ time.Duration, cause ledger.Cause) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, operation)
	if cause != "" {
		o.failed[operation] = cause
	}
}

func (o *observer) LedgerLost(cause ledger.Cause, err error) { o.note("lost: " + string(cause)) }

func (o *observer) LedgerBack(cause ledger.Cause, lost time.Duration) {
	o.note("back: " + string(cause) + " " + lost.String())
}

func (o *observer) note(event string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, event)
}

func (o *observer) seen() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.events)
}

func watched(t *testing.T) (*watch.Store, *breakable, *observer) {
	b, o := &breakable{Store: memory.New(memory.Options{})}, &observer{failed: make(map[string]ledger.Cause)}
	return watch.New(watch.Config{Store: b, Cause: ledger.CauseOf, Observer: o}), b, o
}

func run(t *testing.T, s *watch.Store) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
}

var claim = ledger.Claim{Key: ledger.Digest{1}, Token: ledger.Token{1}, Lease: time.Minute}

// makeClaim makes the claim, whatever comes of it.
func makeClaim(ctx context.Context, s *watch.Store) {
	if _, mine, err := s.Claim(ctx, claim); mine && err != nil {
		panic("a claim that failed is mine")
	}
}

func TestRun_ManyCallsFail_IsOneLossWithItsCauseAndOneReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b, o := watched(t)
		run(t, s)
		b.writesOnly = true
		b.fail(ledger.ErrFull)
		for range 100 {
			if _, _, err := s.Claim(t.Context(), claim); !errors.Is(err, ledger.ErrFull) {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if got := o.seen(); !slices.Equal(got, []string{"lost: full"}) || s.Health().Lost != ledger.Full {
			t.Fatalf("got %q, health %+v", got, s.Health())
		}
		// Reads that succeed do not end the loss.
		if s.Health().LookedAt.IsZero() {
			t.Error("a ledger that can be read was not looked at")
		}
		b.fail(nil)
		time.Sleep(5 * time.Second)
		if got := o.seen(); len(got) != 2 || got[1][:11] != "back: full " || s.Health().Lost != "" {
			t.Errorf("got %q, health %+v", got, s.Health())
		}
		if o.failed["claim"] != ledger.Full {
			t.Errorf("failed: %v", o.failed)
		}
	})
}

// A probe removes its record, so the next one fits where there is no room for a call.
func TestRun_OnlyProbesHaveRoom_IsLostUntilClaimsSayOtherwise(t *testing.T) {
	claims := func(t *testing.T, s *watch.Store, b *breakable, refused, taken int) {
		for i := range refused + taken {
			b.mu.Lock()
			b.fullFor = nil
			if i < refused {
				b.fullFor = &claim
			}
			b.mu.Unlock()
			makeClaim(t.Context(), s)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s, b, o := watched(t)
		run(t, s)
		claims(t, s, b, 0, 1000)
		claims(t, s, b, 5, 2)
		time.Sleep(3 * time.Second)
		if got := o.seen(); len(got) != 1 {
			t.Fatalf("claims that found room long ago hide the loss: %q", got)
		}
		for range 30 {
			claims(t, s, b, 5, 2)
			time.Sleep(time.Second)
		}
		if got := o.seen(); !slices.Equal(got, []string{"lost: full"}) || s.Health().Lost != ledger.Full {
			t.Fatalf("most claims find no room: %q", got)
		}
		for range 4 {
			claims(t, s, b, 2, 5)
			time.Sleep(time.Second)
		}
		if got := o.seen(); len(got) != 2 || s.Health().Lost != "" {
			t.Fatalf("most claims find room: %q", got)
		}
		time.Sleep(5 * time.Second)
		claims(t, s, b, 1, 0)
		time.Sleep(10 * time.Second)
		if got := o.seen(); len(got) != 3 || s.Health().Lost != ledger.Full {
			t.Fatalf("the last claim found no room, and none follows: %q", got)
		}
		time.Sleep(10 * time.Second)
		if got := o.seen(); len(got) != 4 || s.Health().Lost != "" {
			t.Fatalf("nobody claims for a while: %q", got)
		}
	})
}

// What a caller may not have says nothing about the ledger.
func TestRun_CallersHaveTheirShares_IsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b, o := watched(t)
		run(t, s)
		synctest.Wait() // its first probe is over
		b.fail(ledger.ErrShare)
		for range 100 {
			if _, _, err := s.Claim(t.Context(), claim); !errors.Is(err, ledger.ErrShare) {
				t.Fatal(err)
			}
		}
		b.fail(nil)
		time.Sleep(time.Minute)
		if got := o.seen(); len(got) != 0 || len(o.failed) != 0 {
			t.Errorf("got %q, failed %v", got, o.failed)
		}
		if room := s.Health().Room; room.Limit != memory.DefaultMaxRecords {
			t.Errorf("%+v", room)
		}
	})
}

// Without calls, a loss is found by looking.
func TestRun_NobodyCalls_LossIsFoundAndCountsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b, o := watched(t)
		if _, _, err := s.Claim(t.Context(), claim); err != nil {
			t.Fatal(err)
		}
		run(t, s)
		synctest.Wait()
		if h := s.Health(); h.Stats.Records[ledger.Claimed] != 1 || h.LookedAt.IsZero() {
			t.Errorf("%+v", h)
		}
		b.fail(context.DeadlineExceeded)
		time.Sleep(20 * time.Second)
		if got := o.seen(); !slices.Equal(got, []string{"lost: timeout"}) {
			t.Errorf("got %q", got)
		}
		if h := s.Health(); !h.LookedAt.IsZero() || h.Stats != (ledger.Stats{}) || time.Since(h.LostAt) > 20*time.Second {
			t.Errorf("%+v", h)
		}
	})
}

// One call may fail where the next succeeds: only a probe decides.
func TestRun_OneCallFails_IsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b, o := watched(t)
		run(t, s)
		b.fail(errors.New("broken"))
		makeClaim(t.Context(), s)
		b.fail(nil)
		time.Sleep(time.Minute)
		if got := o.seen(); len(got) != 0 || o.failed["claim"] != ledger.Other {
			t.Errorf("got %q, failed %v", got, o.failed)
		}
	})
}

// Probes are apart, however many calls fail.
func TestRun_CallsKeepFailing_ProbesAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b, _ := watched(t)
		run(t, s)
		b.fail(errors.New("broken"))
		for range 1000 {
			_, _ = s.Stats(t.Context())
			time.Sleep(10 * time.Millisecond)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.probes > 8 {
			t.Errorf("%d probes in ten seconds", b.probes)
		}
	})
}

func TestDone_CallerLeftOrVerdict_IsNoFailure(t *testing.T) {
	t.Parallel()
	s, b, o := watched(t)
	if err := s.Renew(t.Context(), claim.Key, claim.Token, time.Minute); !errors.Is(err, ledger.ErrLost) {
		t.Fatal(err)
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	b.fail(context.Canceled)
	makeClaim(left, s)
	if len(o.failed) != 0 {
		t.Errorf("failed: %v", o.failed)
	}
}

func TestStore_EveryOperation_IsObserved(t *testing.T) {
	t.Parallel()
	s, _, o := watched(t)
	ctx := t.Context()
	makeClaim(ctx, s)
	if _, _, err := s.Get(ctx, claim.Key); err != nil {
		t.Error(err)
	}
	_ = s.Renew(ctx, claim.Key, claim.Token, time.Minute)
	_ = s.MarkSending(ctx, claim.Key, claim.Token, time.Minute)
	_ = s.MarkDone(ctx, claim.Key, claim.Token, "x")
	_ = s.MarkUnknown(ctx, claim.Key, claim.Token)
	_ = s.Release(ctx, claim.Key, claim.Token)
	_ = s.Resolve(ctx, claim.Key, claim.Token, "")
	_, _ = s.Named(ctx, nil)
	_, _ = s.Sweep(ctx, 1)
	_, _ = s.List(ctx, ledger.Query{Limit: 1})
	_, _ = s.Stats(ctx)
	if !slices.Equal(o.calls, watch.Operations) {
		t.Errorf("got %q, want %q", o.calls, watch.Operations)
	}
}

func TestStore_Contract(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(*testing.T) ledgertest.Harness {
		var mu sync.Mutex
		now := time.Unix(1_700_000_000, 0)
		s := watch.New(watch.Config{
			Store: memory.New(memory.Options{Retention: time.Hour, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }}),
			Cause: ledger.CauseOf, Observer: &observer{failed: make(map[string]ledger.Cause)},
		})
		return ledgertest.Harness{
			Open: func(testing.TB) ledger.Store { return s }, Retention: time.Hour,
			Advance: func(_ testing.TB, d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() },
		}
	})
}
