package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/test/await"
)

// slack is how much longer than its context a call may take on a busy machine.
const slack = 5 * time.Second

// eventually repeats do until it succeeds, for as long as a database may need to
// come back.
func eventually(t testing.TB, what string, do func(context.Context) error) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	if err := await.Poll(30*time.Second, ctx.Done(), func() error { return do(ctx) }); err != nil {
		t.Fatalf("%s still fails: %v", what, err)
	}
}

func testOutage(t *testing.T, h Harness) {
	if h.Break == nil {
		t.Skip("this store cannot be parted from its data")
	}
	s := h.Open(t)
	claimed, sending := newClaim(), newClaim()
	claim(t, s, claimed)
	claim(t, s, sending)
	must(t, "MarkSending", toSending(t.Context(), s, sending))

	h.Break(t)
	const patience = 500 * time.Millisecond
	for name, do := range map[string]func(context.Context) error{
		"Claim":       func(ctx context.Context) error { _, _, err := s.Claim(ctx, newClaim()); return err },
		"Renew":       func(ctx context.Context) error { return s.Renew(ctx, claimed.Key, claimed.Token, Lease) },
		"MarkSending": func(ctx context.Context) error { return s.MarkSending(ctx, claimed.Key, claimed.Token, Lease) },
		"MarkDone":    func(ctx context.Context) error { return s.MarkDone(ctx, sending.Key, sending.Token, integration) },
		"MarkUnknown": func(ctx context.Context) error { return s.MarkUnknown(ctx, sending.Key, sending.Token) },
		"Release":     func(ctx context.Context) error { return s.Release(ctx, claimed.Key, claimed.Token) },
		"Sweep":       func(ctx context.Context) error { _, err := s.Sweep(ctx, 10); return err },
		"KeyCheck":    func(ctx context.Context) error { return s.KeyCheck(ctx, digest()) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		begun := time.Now()
		err := do(ctx)
		cancel()
		if err == nil || errors.Is(err, ledger.ErrLost) || errors.Is(err, ledger.ErrInvalid) || errors.Is(err, ledger.ErrKey) {
			t.Errorf("%s without the data: got %v, want that it could not be asked", name, err)
		}
		if d := time.Since(begun); d > patience+slack {
			t.Errorf("%s without the data took %v", name, d)
		}
	}
	h.Mend(t)

	eventually(t, "Renew", func(ctx context.Context) error { return s.Renew(ctx, claimed.Key, claimed.Token, Lease) })
	must(t, "MarkDone", s.MarkDone(t.Context(), sending.Key, sending.Token, integration))
	checkRecord(t, s, claimed, ledger.Claimed, "what was claimed before")
	checkRecord(t, s, sending, ledger.Done, "what was sent before")
	must(t, "a life after", life(t, s, newClaim(), other))
}

// acknowledged is the last state of a claim that the store acknowledged.
type acknowledged struct {
	claim ledger.Claim
	state ledger.State
}

func testOutageUnderLoad(t *testing.T, h Harness) {
	if h.Break == nil {
		t.Skip("this store cannot be parted from its data")
	}
	const goroutines = 8
	handles := []ledger.Store{h.Open(t), h.Open(t)}
	var mu sync.Mutex
	var all []acknowledged
	lives := make(chan struct{}, 1<<16)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group errgroup.Group
	for i := range goroutines {
		group.Go(func() error {
			for ctx.Err() == nil {
				a := acknowledged{claim: newClaim()}
				a.state = live(ctx, handles[i%2], a.claim)
				mu.Lock()
				all = append(all, a)
				mu.Unlock()
				if a.state == ledger.Done {
					lives <- struct{}{}
				}
			}
			return nil
		})
	}
	await := func(n int) {
		deadline := time.After(30 * time.Second)
		for range n {
			select {
			case <-lives:
			case <-deadline:
				t.Error("the load does not get on")
				return
			}
		}
	}
	for range 2 {
		await(50)
		h.Break(t)
		h.Mend(t)
	}
	for len(lives) > 0 {
		<-lives
	}
	await(50)
	stop()
	must(t, "the load", group.Wait())

	s := h.Open(t)
	for _, a := range all {
		if err := survives(t, s, a); err != nil {
			t.Error(err)
		}
	}
}

// live takes a claim from state to state until the store fails.
func live(ctx context.Context, s ledger.Store, c ledger.Claim) ledger.State {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, mine, err := s.Claim(ctx, c); err != nil || !mine {
		return none
	}
	if s.MarkSending(ctx, c.Key, c.Token, Lease) != nil {
		return ledger.Claimed
	}
	if s.MarkDone(ctx, c.Key, c.Token, integration) != nil {
		return ledger.Sending
	}
	return ledger.Done
}

// survives returns an error if a record is behind its acknowledged state. It may be
// one step ahead, since the reply to a step can be lost.
func survives(t testing.TB, s ledger.Store, a acknowledged) error {
	got := stateOf(t, s, a.claim.Key)
	if got != a.state && got != a.state+1 {
		return fmt.Errorf("acknowledged as %v, found in %v", a.state, got)
	}
	return nil
}
