package admission

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// once makes one exchange with a result.
func once(t *testing.T, a *Admission, account string, r Result) {
	t.Helper()
	ticket, err := a.Enter(t.Context(), Request{Account: account})
	if err != nil {
		t.Fatal(err)
	}
	ticket.Leave(r)
}

func TestAccounts_InventedTokens_TakeNoMemoryAndPushOutNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(standard())
		once(t, a, "good", Result{Kind: Served})
		once(t, a, "limited", Result{Kind: Served})
		once(t, a, "limited", Result{Kind: RateLimited, RetryAfter: time.Hour})
		once(t, a, "limited", Result{Kind: RateLimited, RetryAfter: time.Hour})
		for i := range 2 * maxAccepted {
			once(t, a, fmt.Sprint("denied", i), Result{Kind: Denied})
		}
		if got := a.Load(); got.Accounts != 2 {
			t.Errorf("%d accounts after tokens that were denied", got.Accounts)
		}
		for i := range 2 * maxAccepted {
			once(t, a, fmt.Sprint("invented", i), Result{Kind: RateLimited, RetryAfter: time.Hour})
		}
		if got := a.Load(); got.Accounts > 2+maxUnproven || got.Limit != 1000 {
			t.Errorf("%+v after tokens that were limited", got)
		}
		if own, _ := a.accounts.find("good"); own.shared {
			t.Error("an accepted account was pushed out")
		}
		if own, _ := a.accounts.find("limited"); own.shared || own.paused() == 0 {
			t.Error("what is known of a limited account was pushed out")
		}
	})
}

func TestAccounts_MoreThanAreRemembered_ForgetTheOneIdleForLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(standard())
		for i := range maxAccepted + 10 {
			once(t, a, fmt.Sprint(i), Result{Kind: Served})
			once(t, a, "0", Result{Kind: Served})
		}
		if got := a.Load().Accounts; got != maxAccepted {
			t.Errorf("%d accounts", got)
		}
		for name, known := range map[string]bool{"0": true, "1": false, fmt.Sprint(maxAccepted): true} {
			if own, _ := a.accounts.find(name); own.shared == known {
				t.Errorf("account %s: known %v, want %v", name, !own.shared, known)
			}
		}
	})
}

// What a service that is overloaded or silent shows concerns all, a 429 only its
// account.
func TestAccounts_EvidenceOfOne_ConcernsThoseWhomItTellsOf(t *testing.T) {
	for name, c := range map[string]struct {
		result  Result
		all     bool
		circuit string
	}{
		"429":      {Result{Kind: RateLimited}, false, "closed"},
		"503":      {Result{Kind: Overloaded}, true, "open"},
		"silence":  {Result{Kind: NoResponse}, true, "open"},
		"late":     {Result{Kind: Late}, true, "closed"},
		"500":      {Result{Kind: Failed}, false, "open"},
		"401":      {Result{Kind: Denied}, false, "closed"},
		"served":   {Result{Kind: Served}, false, "closed"},
		"the call": {Result{}, false, "closed"},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := New(standard())
			once(t, a, "other", Result{Kind: Served})
			for range 60 {
				if a.Load().Circuit == "closed" {
					once(t, a, "a", c.result)
				}
			}
			got := a.Load()
			if got.Circuit != c.circuit || (got.Limit < 1000) != c.all {
				t.Errorf("%s: the circuit is %s, and the limit of all %d", name, got.Circuit, got.Limit)
			}
			if other, _ := a.accounts.find("other"); other.limit.current() != 1000 || other.paused() > 0 {
				t.Errorf("%s: the other account is limited to %d", name, other.limit.current())
			}
		})
	}
}

func TestEnter_NobodyWaits_AllocatesNothing(t *testing.T) {
	a := New(standard())
	once(t, a, "a", Result{Kind: Served})
	for _, recorded := range []bool{false, true} {
		if n := testing.AllocsPerRun(100, func() {
			ticket, err := a.Enter(t.Context(), Request{Account: "a", Recorded: recorded})
			if err == nil {
				err = ticket.Send(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
			ticket.Leave(Result{Kind: Served})
		}); n > 0 {
			t.Errorf("recorded %v: %v allocations", recorded, n)
		}
	}
}
