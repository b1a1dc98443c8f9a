package admission

import (
	"context"
	"fmt"
	"strconv"
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
		once(t, a, "good", Result{Evidence: Served})
		once(t, a, "limited", Result{Evidence: Served})
		once(t, a, "limited", Result{Evidence: RateLimited, RetryAfter: time.Hour})
		once(t, a, "limited", Result{Evidence: RateLimited, RetryAfter: time.Hour})
		for i := range 2 * maxAccepted {
			once(t, a, fmt.Sprint("denied", i), Result{Evidence: Denied})
		}
		if got := a.Load(); got.Accounts != 2 {
			t.Errorf("%d accounts after tokens that were denied", got.Accounts)
		}
		for i := range 2 * maxAccepted {
			once(t, a, fmt.Sprint("invented", i), Result{Evidence: RateLimited, RetryAfter: time.Hour})
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

func TestAccounts_InventedTokens_Share16Accounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(standard())
		shared := make(map[*account]bool)
		for i := range 1000 {
			ticket := enter(t, a, fmt.Sprint("invented", i))
			shared[ticket.account] = true
			ticket.Leave(Result{Evidence: Denied})
		}
		if got := len(shared); got != 16 {
			t.Errorf("1000 tokens have %d accounts, want 16", got)
		}
	})
}

func TestAccounts_MoreThanAreRemembered_ForgetTheOneIdleForLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(standard())
		for i := range maxAccepted + 10 {
			once(t, a, strconv.Itoa(i), Result{Evidence: Served})
			once(t, a, "0", Result{Evidence: Served})
		}
		if got := a.Load().Accounts; got != maxAccepted {
			t.Errorf("%d accounts", got)
		}
		for name, known := range map[string]bool{"0": true, "1": false, strconv.Itoa(maxAccepted): true} {
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
		"429":      {Result{Evidence: RateLimited}, false, "closed"},
		"503":      {Result{Evidence: Overloaded}, true, "open"},
		"silence":  {Result{Evidence: NoResponse}, true, "open"},
		"late":     {Result{Evidence: Late}, true, "closed"},
		"500":      {Result{Evidence: Failed}, false, "open"},
		"401":      {Result{Evidence: Denied}, false, "closed"},
		"served":   {Result{Evidence: Served}, false, "closed"},
		"the call": {Result{}, false, "closed"},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := New(standard())
			once(t, a, "other", Result{Evidence: Served})
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
	once(t, a, "a", Result{Evidence: Served})
	for _, recorded := range []bool{false, true} {
		if n := testing.AllocsPerRun(100, func() {
			ticket, err := a.Enter(t.Context(), Request{Account: "a", Recorded: recorded})
			if err == nil {
				err = ticket.Send(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
			ticket.Leave(Result{Evidence: Served})
		}); n > 0 {
			t.Errorf("recorded %v: %v allocations", recorded, n)
		}
	}
}

// enter returns a ticket of an account that may send at once.
func enter(t *testing.T, a *Admission, account string) Ticket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	ticket, err := a.Enter(ctx, Request{Account: account})
	if err != nil {
		t.Fatalf("%s may not enter: %v", account, err)
	}
	return ticket
}

func TestAccounts_ServedUpToItsLimit_GoesOnWithinIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for kind, paused := range map[Evidence]int{RateLimited: 1, Overloaded: 1} {
			a := New(standard())
			refused := Result{Evidence: kind, RetryAfter: time.Hour}
			once(t, a, "a", Result{Evidence: Served})
			once(t, a, "a", refused)
			if got := a.Load().Paused; got != 0 {
				t.Errorf("%v: paused though it was served", kind)
			}
			ticket := enter(t, a, "a")
			ticket.Leave(refused) // and nothing was served since
			if got := a.Load().Paused; got != paused {
				t.Errorf("%v: not paused", kind)
			}
		}
	})
}

// A time that is far off may be a mistake: an account is asked for again before.
func TestAccounts_RetryAfterIsFarOff_OneCallAsksAgainInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []Evidence{RateLimited, Overloaded} {
			a := New(standard())
			once(t, a, "a", Result{Evidence: kind, RetryAfter: 24 * time.Hour})
			if got := a.Load().Paused; got != 1 {
				t.Fatalf("%v: not paused", kind)
			}
			time.Sleep(maxPause)
			once(t, a, "a", Result{Evidence: Served})
			time.Sleep(10 * time.Second)
			if got := a.Load(); got.Paused != 0 || got.Limited != 0 {
				t.Errorf("%v: %+v", kind, got)
			}
		}
	})
}

func TestAccounts_RetryAfterIsFarOff_WaitFor30sAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []Evidence{RateLimited, Overloaded} {
			a := New(standard())
			once(t, a, "a", Result{Evidence: kind, RetryAfter: 24 * time.Hour})
			began := time.Now()
			once(t, a, "a", Result{Evidence: Served})
			if got := time.Since(began).Round(time.Second); got != 30*time.Second {
				t.Errorf("%v: the next exchange waited %v, want 30s", kind, got)
			}
		}
	})
}

// The last of many to leave may be the one that is refused.
func TestLimit_ManyWereUnderWay_FallsToWhatWasServedOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for kind, limit := range map[Evidence]func(*Admission) int{
			RateLimited: func(a *Admission) int { own, _ := a.accounts.find("a"); return own.limit.current() },
			NoResponse:  func(a *Admission) int { return a.limit.current() },
		} {
			a := New(standard())
			a.limit.credit = 0
			once(t, a, "a", Result{Evidence: Served})
			var tickets []Ticket
			for range 100 {
				tickets = append(tickets, enter(t, a, "a"))
			}
			for _, ticket := range tickets[:99] {
				ticket.Leave(Result{})
			}
			tickets[99].Leave(Result{Evidence: kind})
			if got := limit(a); got != 94 {
				t.Errorf("%v: the limit is %d, want 94 of 99", kind, got)
			}
		}
	})
}

func TestAccounts_UnderWay_IsNeverForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(standard())
		once(t, a, "a", Result{Evidence: Served})
		ticket := enter(t, a, "a")
		for i := range maxAccepted + 10 {
			once(t, a, strconv.Itoa(i), Result{Evidence: Served})
		}
		if own, _ := a.accounts.find("a"); own != ticket.account {
			t.Error("an account with an exchange under way was forgotten")
		}
		ticket.Leave(Result{Evidence: Served})
	})
}

func TestAccounts_LimitedAndThenAccepted_IsNotPushedOutByInventedOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(standard())
		first, second := enter(t, a, "a"), enter(t, a, "a")
		first.Leave(Result{Evidence: RateLimited})
		second.Leave(Result{Evidence: Served})
		for i := range maxUnproven + 10 {
			once(t, a, fmt.Sprint("invented", i), Result{Evidence: RateLimited})
		}
		if own, _ := a.accounts.find("a"); own.shared {
			t.Error("it was pushed out")
		}
	})
}

func TestAccounts_FewRefusalsAmongMany_LowerNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(standard())
		for i := range 3000 {
			switch i % 120 {
			case 60:
				once(t, a, "a", Result{Evidence: RateLimited})
			case 119:
				once(t, a, "a", Result{Evidence: NoResponse})
			default:
				once(t, a, "a", Result{Evidence: Served})
			}
		}
		if got := a.Load(); got.Limit != 1000 || got.Limited != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// Fewer exchanges at once cure an overload; the circuit is for a service that is
// down.
func TestBreaker_503ThatFewerExchangesCure_IsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(standard())
		var tickets []Ticket
		for range 100 {
			tickets = append(tickets, enter(t, a, "a"))
		}
		for _, ticket := range tickets[:90] {
			ticket.Leave(Result{Evidence: Overloaded})
		}
		for _, ticket := range tickets[90:] {
			ticket.Leave(Result{Evidence: Served})
		}
		if got := a.Load(); got.Circuit != "closed" || got.Limit > 12 {
			t.Errorf("%+v", got)
		}
	})
}

func TestLimit_WhileTheCircuitIsOpen_DoesNotGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(standard())
		var tickets []Ticket
		for range 200 {
			tickets = append(tickets, enter(t, a, "a"))
		}
		for _, ticket := range tickets {
			ticket.Leave(Result{Evidence: NoResponse})
		}
		lowered := a.Load()
		if lowered.Circuit != "open" || lowered.Limit > 20 {
			t.Fatalf("%+v", lowered)
		}
		time.Sleep(7 * time.Second)
		for range breakerProbes {
			once(t, a, "a", Result{Evidence: Served})
		}
		if got := a.Load(); got.Circuit != "closed" || got.Limit != lowered.Limit {
			t.Errorf("%+v, and the limit was %d", got, lowered.Limit)
		}
	})
}
