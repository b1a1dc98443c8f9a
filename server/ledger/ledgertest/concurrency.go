package ledgertest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server/ledger"
)

// rush claims one key from many goroutines on two handles at once, and returns the
// claim that won.
func rush(t *testing.T, h Harness, base ledger.Claim) ledger.Claim {
	t.Helper()
	const goroutines = 32
	handles := []ledger.Store{h.Open(t), h.Open(t)}
	var won atomic.Pointer[ledger.Claim]
	var wins atomic.Int32
	var group errgroup.Group
	start := make(chan struct{})
	for i := range goroutines {
		group.Go(func() error {
			<-start
			c := again(base)
			r, mine, err := handles[i%2].Claim(t.Context(), c)
			switch {
			case err != nil:
				return err
			case mine:
				wins.Add(1)
				won.Store(&c)
			case r.State != ledger.Claimed || r.Key != c.Key || r.Token == c.Token:
				return fmt.Errorf("a loser got %+v", r)
			}
			return nil
		})
	}
	close(start)
	must(t, "Claim", group.Wait())
	if n := wins.Load(); n != 1 {
		t.Fatalf("%d claims of one key were won", n)
	}
	checkRecord(t, handles[0], *won.Load(), ledger.Claimed, "the claim that won")
	return *won.Load()
}

func testOneWins(t *testing.T, h Harness) {
	for range 5 {
		rush(t, h, newClaim())
	}
}

func testOneTakesOver(t *testing.T, h Harness) {
	first := rush(t, h, newClaim())
	h.Advance(t, Lease)
	second := rush(t, h, first)
	if err := h.Open(t).MarkSending(t.Context(), first.Key, first.Token, Lease); err == nil {
		t.Error("the first owner could send after the second had taken over")
	}
	checkRecord(t, h.Open(t), second, ledger.Claimed, "the second claim")
}

// Of many doubts that are resolved to one integration at once, one becomes done, and
// the others stay in doubt.
func testOneNames(t *testing.T, h Harness) {
	const rounds, doubts = 10, 8
	handles := []ledger.Store{h.Open(t), h.Open(t)}
	for round := range rounds {
		id := fmt.Sprint("integration-", round)
		claims := make([]ledger.Claim, doubts)
		for i := range claims {
			claims[i] = newClaim()
			claim(t, handles[0], claims[i])
			must(t, "unknown", toUnknown(t.Context(), handles[0], claims[i]))
		}
		errs := make([]error, doubts)
		var group sync.WaitGroup
		start := make(chan struct{})
		for i, c := range claims {
			group.Go(func() {
				<-start
				errs[i] = handles[i%2].Resolve(t.Context(), c.Key, c.Token, id)
			})
		}
		close(start)
		group.Wait()
		settled := 0
		for i, err := range errs {
			want := ledger.Unknown
			if err == nil {
				settled++
				want = ledger.Done
			} else if !errors.Is(err, ledger.ErrNamed) {
				t.Errorf("got %v, want ErrNamed", err)
			}
			checkRecord(t, handles[1], claims[i], want, "a doubt that many were settled with")
		}
		if settled != 1 {
			t.Fatalf("%d records were settled to one integration", settled)
		}
	}
}

func testManyLives(t *testing.T, h Harness) {
	const goroutines, lives = 8, 20
	handles := []ledger.Store{h.Open(t), h.Open(t)}
	var mu sync.Mutex
	var ids []string
	var group errgroup.Group
	for i := range goroutines {
		group.Go(func() error {
			for n := range lives {
				id := fmt.Sprintf("integration-%d-%d", i, n)
				if err := life(t, handles[i%2], newClaim(), id); err != nil {
					return err
				}
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
			}
			return nil
		})
	}
	must(t, "a life", group.Wait())
	named, err := handles[1].Named(t.Context(), ids)
	must(t, "Named", err)
	if len(named) != goroutines*lives {
		t.Errorf("%d of %d integrations are named", len(named), goroutines*lives)
	}
}

// life takes a call from its claim to done.
func life(t testing.TB, s ledger.Store, c ledger.Claim, createdID string) error {
	ctx := t.Context()
	if _, mine, err := s.Claim(ctx, c); err != nil || !mine {
		return fmt.Errorf("claim: mine %v, error %w", mine, err)
	}
	if err := s.MarkSending(ctx, c.Key, c.Token, Lease); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if err := s.MarkDone(ctx, c.Key, c.Token, createdID); err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	return nil
}
