package former_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/former"
	"github.com/digate/digate/server/ledger/ledgertest"
	"github.com/digate/digate/server/ledger/memory"
	"github.com/digate/digate/server/ledger/postgres"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
	"github.com/digate/digate/server/ledger/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that only moves when a test moves it.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(1_700_000_000, c.nanos.Load()) }

// harnesses are the stores that the tests run on, by name. Each call of what is there
// returns a store of its own.
func harnesses(t *testing.T) map[string]func(*testing.T) ledgertest.Harness {
	t.Helper()
	server := pgtest.Start(t)
	return map[string]func(*testing.T) ledgertest.Harness{
		"memory": func(*testing.T) ledgertest.Harness {
			var c clock
			s := memory.New(memory.Options{Retention: time.Hour, Now: c.now})
			return ledgertest.Harness{
				Open: func(testing.TB) ledger.Store { return s }, Retention: time.Hour,
				Advance: func(_ testing.TB, d time.Duration) { c.nanos.Add(int64(d)) },
			}
		},
		"sqlite": func(t *testing.T) ledgertest.Harness {
			var c clock
			path := filepath.Join(t.TempDir(), "ledger.db")
			return ledgertest.Harness{
				Open: func(t testing.TB) ledger.Store {
					s, err := sqlite.Open(t.Context(), path, sqlite.Options{Retention: time.Hour, Now: c.now})
					return ledgertest.Opened(t, s, err)
				},
				Retention: time.Hour,
				Advance:   func(_ testing.TB, d time.Duration) { c.nanos.Add(int64(d)) },
			}
		},
		"postgres": func(*testing.T) ledgertest.Harness {
			url := server.NewDatabase()
			return ledgertest.Harness{
				Open: func(t testing.TB) ledger.Store {
					s, err := postgres.Open(t.Context(), url, postgres.Options{Retention: time.Hour})
					return ledgertest.Opened(t, s, err)
				},
				Retention: time.Hour,
				Advance: func(_ testing.TB, d time.Duration) {
					server.Exec(url, fmt.Sprintf(`UPDATE digate_ledger_record SET
						claimed_at = claimed_at - %[1]d * interval '1 microsecond', until = until - %[1]d * interval '1 microsecond',
						lapsed_at = lapsed_at - %[1]d * interval '1 microsecond'`, d.Microseconds()))
				},
			}
		},
	}
}

// formerly returns the former key of a call with the key.
func formerly(key ledger.Digest) ledger.Digest {
	key[31] ^= 0xff
	return key
}

// moving is a store each of whose calls has a former key.
type moving struct{ ledger.Store }

func (m moving) of(key ledger.Digest) *former.Ledger { return former.New(m.Store, key, formerly(key)) }

func (m moving) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	r, mine, err := m.of(c.Key).Claim(ctx, c)
	return asOwn(r, c.Key), mine, err
}

// asOwn returns a record that was found by the former key of a call as if it had been
// found by its own.
func asOwn(r ledger.Record, key ledger.Digest) ledger.Record {
	if r.Key == formerly(key) {
		r.Key = key
	}
	return r
}

func (m moving) Get(ctx context.Context, key ledger.Digest) (ledger.Record, bool, error) {
	r, found, err := m.of(key).Get(ctx, key)
	return asOwn(r, key), found, err
}

func (m moving) Renew(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	return m.of(key).Renew(ctx, key, token, lease)
}

func (m moving) MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	return m.of(key).MarkSending(ctx, key, token, lease)
}

func (m moving) MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	return m.of(key).MarkDone(ctx, key, token, createdID)
}

func (m moving) MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return m.of(key).MarkUnknown(ctx, key, token)
}

func (m moving) Release(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return m.of(key).Release(ctx, key, token)
}

func (m moving) Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	return m.of(key).Resolve(ctx, key, token, createdID)
}

// before is the store as servers before the change use it: with the former key alone.
type before struct{ ledger.Store }

func (b before) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	c.Key = formerly(c.Key)
	return b.Store.Claim(ctx, c)
}

func (b before) MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	return b.Store.MarkSending(ctx, formerly(key), token, lease)
}

func (b before) MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	return b.Store.MarkDone(ctx, formerly(key), token, createdID)
}

func (b before) MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return b.Store.MarkUnknown(ctx, formerly(key), token)
}

func (b before) Release(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return b.Store.Release(ctx, formerly(key), token)
}

func TestLedger(t *testing.T) {
	t.Parallel()
	for name, newHarness := range harnesses(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, test := range []struct {
				name string
				run  func(*testing.T, func(*testing.T) ledgertest.Harness)
			}{
				{"Contract", testContract},
				{"ServersOfTwoKindsAtOnce_OneSends", testServersOfTwoKindsAtOnceOneSends},
				{"ServerDiesBetweenTheTwoRecords_CallIsNeverSentTwice", testServerDiesBetweenTheTwoRecordsCallIsNeverSentTwice},
				{"RecordUnderOneKeyAlone_Counts", testRecordUnderOneKeyAloneCounts},
				{"RecordsOfTwoCalls_OwnKeysCounts", testRecordsOfTwoCallsOwnKeysCounts},
				{"OwnClaimIsLost_FormerKeyIsSettledStill", testOwnClaimIsLostFormerKeyIsSettledStill},
				{"Resolve_CallWithTwoRecords_SettlesBoth", testResolveCallWithTwoRecordsSettlesBoth},
			} {
				t.Run(test.name, func(t *testing.T) { test.run(t, newHarness) })
			}
		})
	}
}

// What a call is recorded under does not change what is recorded of it.
func testContract(t *testing.T, newHarness func(*testing.T) ledgertest.Harness) {
	t.Helper()
	ledgertest.RunCalls(t, func(t *testing.T) ledgertest.Harness {
		t.Helper()
		h := newHarness(t)
		open := h.Open
		h.Open = func(t testing.TB) ledger.Store { return moving{open(t)} }
		return h
	})
}

// In a rolling change, servers of two kinds get the same call at the same time, and one
// server sends it: first those before the change and those between, then those between
// and those after.
func testServersOfTwoKindsAtOnceOneSends(t *testing.T, newHarness func(*testing.T) ledgertest.Harness) {
	t.Helper()
	const calls, servers = 40, 3
	h := newHarness(t)
	for phase, kinds := range map[string][]func(ledger.Store) ledger.Store{
		"before and between": {func(s ledger.Store) ledger.Store { return before{s} }, func(s ledger.Store) ledger.Store { return moving{s} }},
		"between and after":  {func(s ledger.Store) ledger.Store { return moving{s} }, func(s ledger.Store) ledger.Store { return s }},
	} {
		made := make([]atomic.Int32, calls)
		keys := make([]ledger.Digest, calls)
		for i := range keys {
			keys[i] = ledger.NewDigest()
		}
		var all errgroup.Group
		for _, kind := range kinds {
			for range servers {
				s := kind(h.Open(t))
				all.Go(func() error {
					for i, key := range keys {
						if err := try(t.Context(), s, key, &made[i]); err != nil {
							return err
						}
					}
					return nil
				})
			}
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		for i := range made {
			if n := made[i].Load(); n != 1 {
				t.Errorf("%s: call %d was made %d times", phase, i, n)
			}
		}
	}
}

// try makes a call until somebody made it. Some of what is sent is refused, which frees
// the key.
func try(ctx context.Context, s ledger.Store, key ledger.Digest, made *atomic.Int32) error {
	for {
		c := ledger.Claim{Key: key, ParentID: "template-1", Token: ledger.NewToken(), Lease: ledgertest.Lease}
		r, mine, err := s.Claim(ctx, c)
		switch {
		case err != nil:
			return err
		case r.State == ledger.Done || r.State == ledger.Unknown:
			return nil
		case !mine:
			continue
		}
		if err := s.MarkSending(ctx, key, c.Token, c.Lease); err != nil {
			return err
		}
		switch rand.N(3) {
		case 0:
			err = s.Release(ctx, key, c.Token)
		case 1:
			made.Add(1)
			err = s.MarkUnknown(ctx, key, c.Token)
		default:
			made.Add(1)
			err = s.MarkDone(ctx, key, c.Token, "integration-1")
		}
		if err != nil {
			return err
		}
	}
}

var errDied = errors.New("the server died")

// dying is a store that a server stops using after some steps.
type dying struct {
	ledger.Store
	left int
}

func (d *dying) step() error {
	if d.left--; d.left < 0 {
		return errDied
	}
	return nil
}

func (d *dying) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	if err := d.step(); err != nil {
		return ledger.Record{}, false, err
	}
	return d.Store.Claim(ctx, c)
}

func (d *dying) MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	return errors.Join(d.step(), unless(d.left < 0, func() error { return d.Store.MarkSending(ctx, key, token, lease) }))
}

func (d *dying) MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	return errors.Join(d.step(), unless(d.left < 0, func() error { return d.Store.MarkDone(ctx, key, token, createdID) }))
}

func (d *dying) MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return errors.Join(d.step(), unless(d.left < 0, func() error { return d.Store.MarkUnknown(ctx, key, token) }))
}

func (d *dying) Release(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return errors.Join(d.step(), unless(d.left < 0, func() error { return d.Store.Release(ctx, key, token) }))
}

func unless(not bool, do func() error) error {
	if not {
		return nil
	}
	return do()
}

// A server between dies at each step of a call. What it may have sent, no server of any
// kind sends again, and what is known of the call from one of its records counts for the
// servers between.
func testServerDiesBetweenTheTwoRecordsCallIsNeverSentTwice(t *testing.T, newHarness func(*testing.T) ledgertest.Harness) {
	t.Helper()
	ends := map[string]func(context.Context, ledger.Store, ledger.Claim) error{
		"done": func(ctx context.Context, s ledger.Store, c ledger.Claim) error {
			return s.MarkDone(ctx, c.Key, c.Token, "integration-1")
		},
		"unknown": func(ctx context.Context, s ledger.Store, c ledger.Claim) error {
			return s.MarkUnknown(ctx, c.Key, c.Token)
		},
		"released": func(ctx context.Context, s ledger.Store, c ledger.Claim) error {
			return s.Release(ctx, c.Key, c.Token)
		},
	}
	// A call takes two steps each to claim, to mark and to end.
	const steps = 6
	h := newHarness(t)
	plain := h.Open(t)
	for end, finish := range ends {
		for after := range steps + 1 {
			t.Run(fmt.Sprintf("%s, dies after %d steps", end, after), func(t *testing.T) {
				dead := moving{&dying{plain, after}}
				c := ledger.Claim{Key: ledger.NewDigest(), ParentID: "template-1", Token: ledger.NewToken(), Lease: ledgertest.Lease}
				_, mine, err := dead.Claim(t.Context(), c)
				sent := mine && err == nil && dead.MarkSending(t.Context(), c.Key, c.Token, c.Lease) == nil
				ended := sent && finish(t.Context(), dead, c) == nil
				if sent != (after >= 4) || ended != (after >= steps) {
					t.Fatalf("sent %v, ended %v: the steps are others", sent, ended)
				}
				h.Advance(t, ledgertest.Lease)
				want := ledger.Unknown // a doubt
				switch {
				case after < 3 || end == "released" && ended:
					want = 0 // surely not sent, or refused
				case end == "done" && after > 4: // one of the records says so
					want = ledger.Done
				}
				r, found, err := moving{plain}.Get(t.Context(), c.Key)
				if err != nil || r.State != want || found != (want != 0) || want == ledger.Done && r.CreatedID != "integration-1" {
					t.Errorf("the record is %v, error %v; want %v", r.State, err, want)
				}
				for kind, s := range map[string]ledger.Store{"before": before{plain}, "between": moving{plain}, "after": plain} {
					again := c
					again.Token = ledger.NewToken()
					_, mine, err := s.Claim(t.Context(), again)
					if err != nil || mine && sent && end != "released" {
						t.Errorf("a server %s: sends it again, error %v", kind, err)
					}
					if mine {
						if err := s.Release(t.Context(), again.Key, again.Token); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
	}
}

// The records of servers of the other kinds count: those with the former key alone, and
// those with the own key alone.
func testRecordUnderOneKeyAloneCounts(t *testing.T, newHarness func(*testing.T) ledgertest.Harness) {
	t.Helper()
	plain := newHarness(t).Open(t)
	for kind, s := range map[string]ledger.Store{"before": before{plain}, "after": plain} {
		c := ledger.Claim{Key: ledger.NewDigest(), Fingerprint: ledger.NewDigest(), ParentID: "template-1", Token: ledger.NewToken(), Lease: ledgertest.Lease}
		at := c.Key
		if kind == "before" {
			at = formerly(c.Key)
		}
		between := former.New(plain, c.Key, formerly(c.Key))
		look := func(want ledger.State) {
			t.Helper()
			again := c
			again.Token = ledger.NewToken()
			r, mine, err := between.Claim(t.Context(), again)
			if err != nil || mine || r.State != want || r.Key != at || r.Token != c.Token || r.Fingerprint != c.Fingerprint {
				t.Errorf("%s: claimed %v, got %v of %s, error %v; want %v", kind, mine, r.State, r.Key.RecordName()[:8], err, want)
			}
			if r, found, err := between.Get(t.Context(), c.Key); err != nil || !found || r.State != want {
				t.Errorf("%s: Get returns %v, error %v; want %v", kind, r.State, err, want)
			}
		}
		if _, mine, err := s.Claim(t.Context(), c); err != nil || !mine {
			t.Fatal(mine, err)
		}
		look(ledger.Claimed)
		must(t, s.MarkSending(t.Context(), c.Key, c.Token, c.Lease))
		look(ledger.Sending)
		must(t, s.MarkUnknown(t.Context(), c.Key, c.Token))
		look(ledger.Unknown)
		// A doubt of another server can be settled here, under the key of its record.
		must(t, between.Resolve(t.Context(), at, c.Token, "integration-"+kind))
		look(ledger.Done)
	}
}

// What a server before the change made is not taken for the call of a server after it.
func testRecordsOfTwoCallsOwnKeysCounts(t *testing.T, newHarness func(*testing.T) ledgertest.Harness) {
	t.Helper()
	plain := newHarness(t).Open(t)
	key := ledger.NewDigest()
	claimed := func(s ledger.Store) ledger.Claim {
		c := ledger.Claim{Key: key, ParentID: "template-1", Token: ledger.NewToken(), Lease: ledgertest.Lease}
		if _, mine, err := s.Claim(t.Context(), c); err != nil || !mine {
			t.Fatal(mine, err)
		}
		must(t, s.MarkSending(t.Context(), key, c.Token, c.Lease))
		return c
	}
	earlier := before{plain}
	must(t, earlier.MarkDone(t.Context(), key, claimed(earlier).Token, "of the earlier call"))
	own := claimed(plain)
	must(t, plain.MarkUnknown(t.Context(), key, own.Token))
	r, found, err := moving{plain}.Get(t.Context(), key)
	if err != nil || !found || r.State != ledger.Unknown || r.Token != own.Token || r.CreatedID != "" {
		t.Errorf("found %v, %v with %q, error %v; want the doubt under the own key", found, r.State, r.CreatedID, err)
	}
}

// A server after the change took the own key over. The former one is given up where nothing
// was sent, and in doubt where something was.
func testOwnClaimIsLostFormerKeyIsSettledStill(t *testing.T, newHarness func(*testing.T) ledgertest.Harness) {
	t.Helper()
	plain := newHarness(t).Open(t)
	between := moving{plain}
	for _, sent := range []bool{false, true} {
		c := ledger.Claim{Key: ledger.NewDigest(), ParentID: "template-1", Token: ledger.NewToken(), Lease: ledgertest.Lease}
		if _, mine, err := between.Claim(t.Context(), c); err != nil || !mine {
			t.Fatal(mine, err)
		}
		lose := func() {
			t.Helper()
			must(t, plain.Release(t.Context(), c.Key, c.Token))
			other := c
			other.Token = ledger.NewToken()
			if _, mine, err := plain.Claim(t.Context(), other); err != nil || !mine {
				t.Fatal(mine, err)
			}
		}
		var err error
		if sent {
			must(t, between.MarkSending(t.Context(), c.Key, c.Token, c.Lease))
			lose()
			err = between.MarkUnknown(t.Context(), c.Key, c.Token)
		} else {
			lose()
			err = between.MarkSending(t.Context(), c.Key, c.Token, c.Lease)
		}
		if !errors.Is(err, ledger.ErrLost) {
			t.Errorf("sent %v: error %v", sent, err)
		}
		r, found, err := plain.Get(t.Context(), formerly(c.Key))
		if err != nil || found != sent || sent && r.State != ledger.Unknown {
			t.Errorf("sent %v: the former key has %v, %v, error %v", sent, found, r.State, err)
		}
	}
}

// A doubt is settled under both keys, so that it stays settled for servers of all kinds.
func testResolveCallWithTwoRecordsSettlesBoth(t *testing.T, newHarness func(*testing.T) ledgertest.Harness) {
	t.Helper()
	plain := newHarness(t).Open(t)
	between := moving{plain}
	for _, id := range []string{"integration-1", ""} {
		c := ledger.Claim{Key: ledger.NewDigest(), ParentID: "template-1", Token: ledger.NewToken(), Lease: ledgertest.Lease}
		if _, mine, err := between.Claim(t.Context(), c); err != nil || !mine {
			t.Fatal(mine, err)
		}
		must(t, between.MarkSending(t.Context(), c.Key, c.Token, c.Lease))
		must(t, between.MarkUnknown(t.Context(), c.Key, c.Token))
		must(t, between.Resolve(t.Context(), c.Key, c.Token, id))
		for _, key := range []ledger.Digest{c.Key, formerly(c.Key)} {
			r, found, err := plain.Get(t.Context(), key)
			if err != nil || found != (id != "") || r.CreatedID != id || found && r.State != ledger.Done {
				t.Errorf("resolved to %q: %v %v, error %v", id, found, r.State, err)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
