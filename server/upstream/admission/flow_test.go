package admission

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueue_CallersOfAnAccount_AreServedInTurnAndEachInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, one())
		c.known("a", "b")
		for _, who := range []string{"a/x", "a/x", "a/x", "a/x", "a/y", "a/y", "b/x", "b/x", "a/z"} {
			c.asks(t.Context(), who, 0)
		}
		for range 8 {
			c.leaves(Result{Evidence: Served})
		}
		// Accounts take turns, and within a its callers.
		c.want("a/x a/x b/x a/y b/x a/z a/x a/y a/x", "")
		c.empty()
	})
}

// A caller that comes while another has a thousand calls waiting in the account has the
// next turn.
func TestQueue_CallerBesideAGreedyOneOfItsAccount_WaitsForOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := standard()
		cfg.MaxInFlight = 10
		c := newCrossing(t, cfg)
		c.known("a")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		greedy := func() {
			for ctx.Err() == nil {
				ticket, err := c.a.Enter(ctx, Request{Account: "a", Caller: "greedy"})
				if err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
				ticket.Leave(Result{Evidence: Served})
			}
		}
		for range 1000 {
			go greedy()
		}
		time.Sleep(time.Second)
		for range 20 {
			began := time.Now()
			mine, stop := context.WithTimeout(t.Context(), time.Second)
			ticket, err := c.a.Enter(mine, Request{Account: "a", Caller: "modest"})
			stop()
			if err != nil {
				t.Error(err)
				break
			}
			if wait := time.Since(began); wait > 100*time.Millisecond {
				t.Errorf("it waited for %v", wait)
			}
			ticket.Leave(Result{Evidence: Served})
			time.Sleep(37 * time.Millisecond)
		}
		cancel()
		synctest.Wait()
		time.Sleep(time.Second)
		c.empty()
	})
}

// Calls with a request id take their turns with those of others without one: a caller
// that always has recorded calls at hand would otherwise keep every turn.
func TestQueue_RecordedExchanges_TakeTurnsWithOtherCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := standard()
		cfg.MaxInFlight = 2
		c := newCrossing(t, cfg)
		c.known("a")
		enter := func() Ticket {
			ticket, err := c.a.Enter(t.Context(), Request{Account: "a", Caller: "recorded", Recorded: true})
			if err != nil {
				t.Fatal(err)
			}
			return ticket
		}
		first, second := enter(), enter()
		c.asks(t.Context(), "a/plain", 0)
		c.asks(t.Context(), "a/plain", 0) // both are under way
		c.asks(t.Context(), "a/plain", 0)
		sent := 0
		for _, ticket := range []*Ticket{&first, &second} {
			go func() {
				if err := ticket.Send(t.Context()); err != nil {
					t.Error(err)
				}
				sent++
			}()
			synctest.Wait()
		}
		c.leaves(Result{Evidence: Served})
		c.want("a/plain a/plain a/plain", "")
		if sent != 0 {
			t.Errorf("%d recorded exchanges went first", sent)
		}
		c.leaves(Result{Evidence: Served})
		c.leaves(Result{Evidence: Served})
		if sent != 2 {
			t.Errorf("%d recorded exchanges were sent", sent)
		}
		first.Leave(Result{})
		second.Leave(Result{})
		c.empty()
	})
}

func TestQueue_Full_TheCallerOfTheAccountWithMostInItGivesWay(t *testing.T) {
	for by, size := range map[string]int64{"calls": 0, "bytes": 100} {
		synctest.Test(t, func(t *testing.T) {
			cfg := one()
			if cfg.MaxQueue = 4; size > 0 {
				cfg.MaxQueue, cfg.MaxQueueBytes = 100, 4*size
			}
			c := newCrossing(t, cfg)
			c.known("a", "b")
			for range 6 {
				c.asks(t.Context(), "a/greedy", size)
			}
			const its = "a/greedy OVERLOADED"
			c.want("a/greedy", its)
			c.asks(t.Context(), "a/y", size)
			c.want("a/greedy", strings.Join([]string{its, its}, ", "))
			c.asks(t.Context(), "b/y", size) // the caller that has most of the account that has most
			c.want("a/greedy", strings.Join([]string{its, its, its}, ", "))
			c.asks(t.Context(), "a/z", size)
			c.want("a/greedy", strings.Join([]string{its, its, its, its}, ", "))
			c.asks(t.Context(), "a/w", size) // nobody has more than it would have
			c.want("a/greedy", strings.Join([]string{its, its, its, its, "a/w OVERLOADED"}, ", "))
			if t.Failed() {
				t.Error(by)
			}
			c.empty()
		})
	}
}

// Where no account has much more than another, the callers of one are still compared.
func TestQueue_FullOfTwoAccounts_GreedyCallerGivesWayInItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := one()
		cfg.MaxQueue = 6
		c := newCrossing(t, cfg)
		c.known("a", "b")
		for range 4 {
			c.asks(t.Context(), "a/greedy", 0)
		}
		for range 3 {
			c.asks(t.Context(), "b/x", 0)
		}
		c.want("a/greedy", "")
		c.asks(t.Context(), "a/y", 0)
		c.want("a/greedy", "a/greedy OVERLOADED")
		c.empty()
	})
}

// A caller whose own queue is short is not refused for the length of another's.
func TestQueue_TooSlowForADeadlineOfOneCaller_LetsAnotherOfTheAccountWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, one())
		c.known("a")
		for range 100 {
			c.asks(t.Context(), "a/greedy", 0)
		}
		for range 20 { // ten a second
			time.Sleep(100 * time.Millisecond)
			c.leaves(Result{Evidence: Served})
		}
		c.entered = nil
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.asks(ctx, "a/greedy", 0)
		c.want("", "a/greedy OVERLOADED")
		c.asks(ctx, "a/modest", 0)
		c.leaves(Result{Evidence: Served})
		c.leaves(Result{Evidence: Served})
		c.want("a/greedy a/modest", "a/greedy OVERLOADED")
		c.empty()
	})
}

// An account that is paused refuses those who cannot wait, whoever they are.
func TestQueue_AccountIsPaused_RefusesTheHastyOfEachCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, standard())
		c.known("a")
		c.asks(t.Context(), "a/x", 0)
		c.leaves(Result{Evidence: RateLimited}) // the limit is 1
		c.asks(t.Context(), "a/x", 0)
		hasty, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		for _, who := range []string{"x", "y", "z"} {
			c.asks(hasty, "a/"+who, 0)
			c.asks(t.Context(), "a/"+who, 0)
		}
		own, _ := c.a.accounts.find("a")
		own.until = time.Now().Add(10 * time.Second)
		c.a.mu.Lock()
		c.a.refusePaused(own)
		c.a.mu.Unlock()
		synctest.Wait()
		slices.Sort(c.refused) // all at once, in no order
		c.want("a/x a/x", "a/x OVERLOADED, a/y OVERLOADED, a/z OVERLOADED")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		c.empty()
	})
}

// Callers that come and go leave nothing, however many they are.
func TestQueue_ManyCallersOfAnAccount_LeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, one())
		c.known("a")
		c.asks(t.Context(), "a/x", 0)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 5000 {
			go func() { _, _ = c.a.Enter(ctx, Request{Account: "a", Caller: strconv.Itoa(i % 1000)}) }()
		}
		synctest.Wait()
		own, _ := c.a.accounts.find("a")
		if n := len(own.lanes[sends].callers.named); n != 1000 {
			t.Errorf("%d callers wait", n)
		}
		cancel()
		synctest.Wait()
		c.empty()
	})
}
