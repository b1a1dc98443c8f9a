package admission

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/apierror"
)

// crossing is a test's view of an admission: who entered, in order.
type crossing struct {
	t  *testing.T
	a  *Admission
	mu sync.Mutex
	// entered gets the name of each that entered, and refused the error of each that
	// did not.
	entered, refused []string
	tickets          []Ticket
	retryAfter       time.Duration // of the last that was refused
}

func newCrossing(t *testing.T, cfg Config) *crossing { return &crossing{t: t, a: New(cfg)} }

// asks lets one ask in the background, until it waits, entered or was refused. Who asks
// is an account, or an account and its caller with a slash between them.
func (c *crossing) asks(ctx context.Context, account string, size int64) {
	go func() {
		name, caller, _ := strings.Cut(account, "/")
		ticket, err := c.a.Enter(ctx, Request{Account: name, Caller: caller, Size: size})
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			var e *apierror.Error
			if !errors.As(err, &e) {
				c.t.Errorf("%v is no apierror.Error", err)
				return
			}
			c.refused = append(c.refused, account+" "+e.Reason)
			if e.RetryAfter != nil {
				c.retryAfter = *e.RetryAfter
			}
			return
		}
		c.entered = append(c.entered, account)
		c.tickets = append(c.tickets, ticket)
	}()
	synctest.Wait()
}

// underWay returns how many exchanges are under way, once nothing moves.
func (c *crossing) underWay() int {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.tickets)
}

// leaves ends the exchange that entered first.
func (c *crossing) leaves(r Result) {
	c.t.Helper()
	c.mu.Lock()
	if len(c.tickets) == 0 {
		c.mu.Unlock()
		c.t.Fatal("nothing is under way")
	}
	ticket := c.tickets[0]
	c.tickets = c.tickets[1:]
	c.mu.Unlock()
	ticket.Leave(r)
	synctest.Wait()
}

// want compares who entered and who was refused.
func (c *crossing) want(entered, refused string) {
	c.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if got := strings.Join(c.entered, " "); got != entered {
		c.t.Errorf("entered: %q, want %q", got, entered)
	}
	if got := strings.Join(c.refused, ", "); got != refused {
		c.t.Errorf("refused: %q, want %q", got, refused)
	}
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// known makes accounts that the upstream accepts.
func (c *crossing) known(accounts ...string) {
	for _, account := range accounts {
		c.asks(c.t.Context(), account, 0)
		c.leaves(Result{Evidence: Served})
	}
	c.entered = nil
}

// empty reports what the admission still holds.
func (c *crossing) empty() {
	c.t.Helper()
	for len(c.tickets) > 0 {
		c.leaves(Result{Evidence: Served})
	}
	if got := c.a.Load(); got.InFlight != 0 || got.Slots != 0 || got.Queued != 0 || got.QueuedBytes != 0 {
		c.t.Errorf("%+v", got)
	}
	for i := range c.a.lines {
		if l := &c.a.lines[i]; l.turn.n > 0 || l.parked.n > 0 {
			c.t.Errorf("line %d has lanes", i)
		}
	}
	for _, own := range c.a.accounts.own {
		for i := range own.lanes {
			if its := &own.lanes[i].callers; its.turn.n > 0 || len(its.named) > 0 || its.weight != [2]int64{} {
				c.t.Errorf("line %d has callers: %+v", i, its)
			}
		}
	}
}

func one() Config {
	cfg := standard()
	cfg.MaxInFlight = 1
	return cfg
}

func TestQueue_Accounts_AreServedInTurnAndEachInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, one())
		c.known("a", "b", "c")
		for _, account := range []string{"a", "a", "a", "a", "b", "b", "c"} {
			c.asks(t.Context(), account, 0)
		}
		for range 6 {
			c.leaves(Result{Evidence: Served})
		}
		c.want("a a b c a b a", "")
		c.empty()
	})
}

func TestQueue_CallerThatLeaves_LeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, one())
		c.asks(t.Context(), "a", 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c.asks(ctx, "b", 10)
		c.asks(t.Context(), "c", 5)
		deadline, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		c.asks(deadline, "d", 20)
		if got := c.a.Load(); got.Queued != 3 || got.QueuedBytes != 35 {
			t.Errorf("%+v", got)
		}
		cancel()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := c.a.Load(); got.Queued != 1 || got.QueuedBytes != 5 {
			t.Errorf("%+v", got)
		}
		c.leaves(Result{Evidence: Served})
		c.want("a c", "b CANCELLED_BEFORE_SEND, d DEADLINE_BEFORE_SEND")
		c.empty()
	})
}

func TestQueue_Full_TheAccountWithMostInItGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := one()
		cfg.MaxQueue = 4
		c := newCrossing(t, cfg)
		c.known("greedy", "b", "c")
		for range 6 {
			c.asks(t.Context(), "greedy", 0)
		}
		c.want("greedy", "greedy OVERLOADED")
		c.asks(t.Context(), "b", 0)
		c.want("greedy", "greedy OVERLOADED, greedy OVERLOADED")
		c.asks(t.Context(), "c", 0)
		c.want("greedy", "greedy OVERLOADED, greedy OVERLOADED, greedy OVERLOADED")
		c.asks(t.Context(), "b", 0) // has as many then: gives way itself
		c.want("greedy", "greedy OVERLOADED, greedy OVERLOADED, greedy OVERLOADED, b OVERLOADED")
		if got := c.a.Load().Refused["queue_full"]; got != 4 {
			t.Errorf("counted %d", got)
		}
		c.empty()
	})
}

func TestQueue_FullOfBytes_TheAccountWithMostBytesGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := one()
		cfg.MaxQueueBytes = 10 << 20
		c := newCrossing(t, cfg)
		c.known("large", "small", "b")
		for range 12 {
			c.asks(t.Context(), "large", 1<<20)
		}
		c.want("large", "large OVERLOADED")
		for range 20 {
			c.asks(t.Context(), "small", 1<<10)
		}
		c.want("large", "large OVERLOADED, large OVERLOADED")
		c.asks(t.Context(), "b", 11<<20)
		c.want("large", "large OVERLOADED, large OVERLOADED, b OVERLOADED")
		if got := c.a.Load(); got.QueuedBytes > 10<<20 || got.Queued != 29 {
			t.Errorf("%+v", got)
		}
		c.empty()
	})
}

func TestQueue_TooSlowForADeadline_RefusesAtOnceAndSaysWhenItMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, one())
		c.known("a")
		soon, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for range 100 {
			c.asks(t.Context(), "a", 0)
		}
		c.asks(soon, "a", 0) // how fast the queue moves is not known yet
		c.want("a", "")
		for range 20 { // ten a second
			time.Sleep(100 * time.Millisecond)
			c.leaves(Result{Evidence: Served})
		}
		c.entered = nil
		patient, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c.asks(patient, "a", 0) // 82 before it: 8.2 s, not twice as long as it has
		c.want("", "")
		hasty, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		c.asks(hasty, "a", 0)
		c.want("", "a OVERLOADED")
		if c.retryAfter < 7*time.Second || c.retryAfter > 9*time.Second {
			t.Errorf("retry after %v", c.retryAfter)
		}
		c.asks(hasty, "other", 0) // its turn comes next
		c.leaves(Result{Evidence: Served})
		c.leaves(Result{Evidence: Served})
		if got := strings.Join(c.entered, " "); got != "a other" {
			t.Error(got)
		}
		for len(c.tickets) > 0 {
			c.leaves(Result{Evidence: Served})
		}
	})
}

func TestQueue_AccountWithNothingServed_WaitsForTheTimeThatWasNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, standard())
		c.asks(t.Context(), "a", 0)
		c.leaves(Result{Evidence: RateLimited, RetryAfter: 10 * time.Second})
		hasty, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		c.asks(hasty, "a", 0)
		c.want("a", "a OVERLOADED")
		if c.retryAfter != 10*time.Second {
			t.Errorf("retry after %v", c.retryAfter)
		}
		c.asks(t.Context(), "a", 0)
		c.asks(t.Context(), "b", 0) // does not wait with it
		c.want("a b", "a OVERLOADED")
		if got := c.a.Load(); got.Paused != 1 || got.Limited != 1 || got.Limit != 1000 || got.Evidence["rate_limited"] != 1 {
			t.Errorf("%+v", got)
		}
		time.Sleep(9900 * time.Millisecond)
		c.want("a b", "a OVERLOADED")
		time.Sleep(150 * time.Millisecond)
		c.want("a b a", "a OVERLOADED")
		c.empty()
	})
}

// A pause that begins while calls wait ends the wait of those that it outlasts.
func TestQueue_AccountIsPausedWhileCallsWait_ThoseWithoutTheTimeAreRefusedAtOnce(t *testing.T) {
	for _, kind := range []Evidence{RateLimited, Overloaded} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrossing(t, standard())
			c.asks(t.Context(), "a", 0)
			c.leaves(Result{Evidence: kind, RetryAfter: time.Second})
			c.asks(t.Context(), "b", 0) // of another account, whatever happens
			hasty, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			defer cancel()
			patient, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			c.asks(hasty, "a", 0)
			c.asks(hasty, "a", 7)
			c.asks(patient, "a", 0)
			time.Sleep(1100 * time.Millisecond)
			c.want("a b a", "")
			c.tickets = c.tickets[1:] // b goes on
			c.leaves(Result{Evidence: kind, RetryAfter: 20 * time.Second})
			c.want("a b a", "a OVERLOADED")
			if c.retryAfter < 20*time.Second || c.retryAfter > 22*time.Second { // one was before it
				t.Errorf("%v: retry after %v", kind, c.retryAfter)
			}
			if got := c.a.Load(); got.Queued != 1 || got.QueuedBytes != 0 || got.Refused["deadline"] != 1 {
				t.Errorf("%v: %+v", kind, got)
			}
			time.Sleep(20 * time.Second)
			c.want("a b a a", "a OVERLOADED")
		})
	}
}

// An account that is paused again and again moves slowly. Nobody waits for a deadline
// before which there is no turn.
func TestQueue_AccountIsPausedAgainAndAgain_ThoseTooFarBackAreRefusedBeforeTheirDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, standard())
		const pause = 2 * time.Second
		c.asks(t.Context(), "a", 0)
		c.leaves(Result{Evidence: RateLimited, RetryAfter: pause})
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		for range 90 {
			c.asks(ctx, "a", 0)
		}
		for range 4 {
			time.Sleep(pause + tickEvery)
			for c.underWay() > 0 {
				c.leaves(Result{Evidence: RateLimited, RetryAfter: pause})
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.refused) < 80 {
			t.Errorf("%d were refused", len(c.refused))
		}
		for _, reason := range c.refused {
			if reason != "a OVERLOADED" {
				t.Errorf("refused: %s", reason)
			}
		}
	})
}

// A recorded exchange is not kept for longer than it has either.
func TestQueue_AccountIsPausedWhileARecordedExchangeWaits_ItIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, standard())
		c.known("a")
		recorded, err := c.a.Enter(t.Context(), Request{Account: "a", Recorded: true})
		if err != nil {
			t.Fatal(err)
		}
		c.asks(t.Context(), "a", 0)
		c.asks(t.Context(), "a", 0)
		c.leaves(Result{Evidence: RateLimited}) // the limit is 1, and one is under way
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		refused := make(chan error, 1)
		go func() { refused <- recorded.Send(ctx) }()
		synctest.Wait()
		own, _ := c.a.accounts.find("a")
		own.until = time.Now().Add(10 * time.Second)
		c.a.mu.Lock()
		c.a.refusePaused(own)
		c.a.mu.Unlock()
		if e := apierror.FromError(<-refused); e.Reason != apierror.ReasonOverloaded || *e.RetryAfter != 10*time.Second || time.Since(began) > 0 {
			t.Errorf("got %v after %v", e, time.Since(began))
		}
		recorded.Leave(Result{})
		c.empty()
	})
}

func TestQueue_AccountAtItsLimit_DoesNotHoldOthersUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, standard())
		c.known("a", "b")
		for range 10 {
			c.asks(t.Context(), "a", 0)
		}
		for range 9 {
			c.leaves(Result{Evidence: RateLimited})
		}
		c.entered = nil
		for range 3 {
			c.asks(t.Context(), "a", 0)
		}
		c.asks(t.Context(), "b", 0)
		c.want("b", "")
		time.Sleep(1100 * time.Millisecond) // the limit is at 1
		c.want("b", "")
		time.Sleep(2 * time.Second)
		c.want("b a a a", "")
		c.empty()
	})
}

func TestQueue_RecordedExchange_GoesBeforeOthersOfItsAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, one())
		c.known("a")
		recorded, err := c.a.Enter(t.Context(), Request{Account: "a", Recorded: true})
		if err != nil {
			t.Fatal(err)
		}
		c.asks(t.Context(), "a", 0) // the slot is not in its way
		c.asks(t.Context(), "a", 0)
		sent := false
		go func() {
			if err := recorded.Send(t.Context()); err != nil {
				t.Error(err)
			}
			sent = true
		}()
		synctest.Wait()
		if got := c.a.Load(); sent || got.Slots != 1 || got.InFlight != 1 || got.Queued != 1 {
			t.Errorf("sent %v: %+v", sent, got)
		}
		c.leaves(Result{Evidence: Served})
		c.want("a", "")
		if !sent {
			t.Error("the recorded one waits behind another")
		}
		recorded.Leave(Result{Evidence: Served})
		synctest.Wait()
		c.want("a a", "")
		c.empty()
	})
}

func TestQueue_RecordedExchanges_AreAsManyAsMayBeUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := standard()
		cfg.MaxInFlight = 3
		a := New(cfg)
		var tickets []Ticket
		for range 5 {
			go func() {
				ticket, err := a.Enter(t.Context(), Request{Account: "a", Recorded: true})
				if err != nil {
					t.Error(err)
				}
				tickets = append(tickets, ticket)
			}()
			synctest.Wait()
		}
		if got := a.Load(); len(tickets) != 3 || got.Slots != 3 || got.InFlight != 0 || got.Queued != 2 {
			t.Errorf("%d have slots: %+v", len(tickets), got)
		}
		for len(tickets) > 0 {
			ticket := tickets[0]
			tickets = tickets[1:]
			ticket.Leave(Result{})
			synctest.Wait()
		}
		if got := a.Load(); got.Slots != 0 || got.Queued != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestQueue_ManyThatWaitAndLeave_CostTheOthersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, one())
		c.asks(t.Context(), "a", 0)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 5000 {
			go func() { _, _ = c.a.Enter(ctx, Request{Account: strconv.Itoa(i % 100)}) }()
		}
		synctest.Wait()
		c.asks(t.Context(), "b", 0)
		cancel()
		synctest.Wait()
		if got := c.a.Load().Queued; got != 1 {
			t.Errorf("%d wait", got)
		}
		c.leaves(Result{Evidence: Served})
		c.want("a b", "")
		c.empty()
	})
}

func TestQueue_CallerThatLeavesAsItIsServed_PassesItsTurnOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 50 {
			c := newCrossing(t, one())
			c.known("a", "b", "c")
			c.asks(t.Context(), "a", 0)
			ctx, cancel := context.WithCancel(t.Context())
			c.asks(ctx, "b", 0)
			c.asks(t.Context(), "c", 0)
			ticket := c.tickets[0]
			c.tickets = nil
			ticket.Leave(Result{Evidence: Served}) // b is served, and leaves before it knows
			cancel()
			synctest.Wait()
			c.empty()
			if got := c.entered[len(c.entered)-1]; got != "c" {
				t.Fatalf("the last that entered is %s", got)
			}
		}
	})
}

func TestQueue_AccountAtItsLimit_FollowsItselfAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, standard())
		c.known("a")
		c.asks(t.Context(), "a", 0)
		c.leaves(Result{Evidence: RateLimited})
		for range 3 {
			c.asks(t.Context(), "a", 0)
		}
		c.want("a a", "") // the limit is 1
		c.leaves(Result{})
		c.want("a a a", "") // and no time has passed
		c.leaves(Result{})
		c.want("a a a a", "")
		c.empty()
	})
}

func TestQueue_LimitThatGrew_LetsNobodyPastThoseWhoWait(t *testing.T) {
	for name, grow := range map[string]func(*Admission){
		"of all":     func(a *Admission) { a.limit.served = 0 },
		"of account": func(a *Admission) { own, _ := a.accounts.find("a"); own.until = time.Time{} },
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrossing(t, standard())
			c.known("a")
			second := "a"
			if name == "of all" {
				second = "b"
				c.known("b")
				c.asks(t.Context(), "a", 0)
				c.a.limit = newLimit(1000, 0)
				c.a.limit.overloaded(0, 1, 0, 0)
			} else {
				own, _ := c.a.accounts.find("a")
				own.until = time.Now().Add(time.Hour)
			}
			first, err := make(chan struct{}), make(chan error, 2)
			enter := func(account string) {
				_, e := c.a.Enter(t.Context(), Request{Account: account})
				err <- e
			}
			go func() { enter("a"); close(first) }()
			synctest.Wait()
			grow(c.a)
			go enter(second)
			synctest.Wait()
			select {
			case <-first:
			default:
				t.Errorf("%s: one went past", name)
			}
			time.Sleep(time.Second)
			if len(err) != 2 || <-err != nil || <-err != nil {
				t.Errorf("%s: not both entered", name)
			}
		})
	}
}

func TestQueue_ThatBecameFaster_IsBelievedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, one())
		c.known("a")
		for range 120 {
			c.asks(t.Context(), "a", 0)
		}
		move := func(n int, every time.Duration) {
			for range n {
				time.Sleep(every)
				c.leaves(Result{Evidence: Served})
			}
		}
		move(21, 100*time.Millisecond) // a period has just begun
		hasty, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		c.asks(hasty, "a", 0)
		if len(c.refused) != 1 {
			t.Fatalf("refused: %v", c.refused)
		}
		move(30, 10*time.Millisecond)
		c.asks(hasty, "a", 0)
		if len(c.refused) != 1 {
			t.Errorf("refused though the queue moves: %v", c.refused)
		}
		c.empty()
	})
}

func TestQueue_LimitOfAllThatGrows_LetsThoseWhoWaitFollowByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, standard())
		c.known("a", "b")
		c.a.limit.credit = 0
		c.asks(t.Context(), "a", 0)
		c.leaves(Result{Evidence: NoResponse})
		for _, account := range []string{"a", "b", "a"} {
			c.asks(t.Context(), account, 0)
		}
		c.want("a a", "") // the limit is 1
		time.Sleep(2 * time.Second)
		c.want("a a b a", "") // though none has left
		c.empty()
	})
}

// How fast a queue moved that is empty by now says nothing of the next.
func TestQueue_ThatMovedSlowlyOnce_RefusesNobodyLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, one())
		c.known("a")
		for range 4 {
			c.asks(t.Context(), "a", 0)
		}
		for range 4 {
			time.Sleep(5 * time.Second)
			c.leaves(Result{Evidence: Served})
		}
		c.entered = nil
		c.asks(t.Context(), "a", 0)
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.asks(hasty, "a", 0)
		c.leaves(Result{Evidence: Served})
		c.want("a a", "")
		c.empty()
	})
}

// What an exchange is ready to wait bounds its wait, and its context does not.
func TestEnter_MaxWait_IsRefusedWhenItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{MaxInFlight: 1, MaxQueue: 10, MaxQueueBytes: 1000})
		under, err := a.Enter(t.Context(), Request{Account: "a"})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = a.Enter(t.Context(), Request{Account: "a", MaxWait: 3 * time.Second})
		var e *apierror.Error
		if !errors.As(err, &e) || e.Reason != apierror.ReasonOverloaded || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		time.AfterFunc(time.Second, func() { under.Leave(Result{Evidence: Served}) })
		ticket, err := a.Enter(t.Context(), Request{Account: "a", MaxWait: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		ticket.Leave(Result{Evidence: Served})
		if load := a.Load(); load.Queued != 0 || load.InFlight != 0 {
			t.Errorf("%+v", load)
		}
	})
}

func TestQueue_ThatStoodStillForAMoment_RefusesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, one())
		c.known("a")
		for range 120 {
			c.asks(t.Context(), "a", 0)
		}
		for range 40 { // twenty a second
			time.Sleep(50 * time.Millisecond)
			c.leaves(Result{Evidence: Served})
		}
		time.Sleep(1500 * time.Millisecond)
		c.leaves(Result{Evidence: Served})
		c.entered = nil
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c.asks(ctx, "a", 0) // 79 before it
		c.want("", "")
		c.empty()
	})
}
