package upstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

func TestLimiter_QueueOrTheCallersPartFull_RefusesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 1, 8)
		under, err := l.acquire(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		wait := func(caller string) {
			go func() {
				if p, err := l.acquire(ctx, caller); err == nil {
					p.Drop()
				}
			}()
			synctest.Wait()
		}
		for _, of := range []struct {
			caller string
			places int
		}{{"a", 4}, {"b", 2}, {"c", 1}, {"d", 1}, {"e", 0}} {
			for range of.places {
				wait(of.caller)
			}
			if _, err := l.acquire(ctx, of.caller); !errors.Is(err, errFull) {
				t.Errorf("%s has more than %d places: %v", of.caller, of.places, err)
			}
		}
		if l.queued() != 8 {
			t.Errorf("%d wait", l.queued())
		}
		under.Drop() // they follow each other
		synctest.Wait()
		if l.queued() != 0 || len(l.callers) != 0 {
			t.Errorf("%d still wait, of %d callers", l.queued(), len(l.callers))
		}
		cancel()
	})
}

// vendorOf is a vendor that works on so many requests at once, and has the
// others wait.
type vendorOf chan struct{}

func (v vendorOf) answer(after time.Duration) {
	v <- struct{}{}
	time.Sleep(after)
	<-v
}

// load has so many callers keep the limiter busy for a while, and returns the
// limit and the answer time at its end.
func load(t *testing.T, v vendorOf, callers int, answerTime func(*rand.Rand) time.Duration, lasting time.Duration) (limit int, took time.Duration) {
	t.Helper()
	l := newLimiter(20, 1000, 1000)
	end := time.Now().Add(lasting)
	var sum, n atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		wg.Go(func() {
			for time.Now().Before(end) {
				p, err := l.acquire(t.Context(), fmt.Sprint(i))
				if err != nil {
					t.Error(err)
					return
				}
				began := time.Now()
				v.answer(answerTime(r))
				p.Record()
				if time.Until(end) < lasting/10 {
					sum.Add(int64(time.Since(began)))
					n.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return l.permits.Limit(), time.Duration(sum.Load() / max(n.Load(), 1))
}

func TestLimiter_UnderLoad_FollowsTheVendor(t *testing.T) {
	about := func(mean time.Duration) func(*rand.Rand) time.Duration {
		return func(r *rand.Rand) time.Duration { return mean/2 + time.Duration(r.Int64N(int64(mean))) }
	}
	t.Run("one that is well is not held up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const mean = 300 * time.Millisecond
			limit, took := load(t, make(vendorOf, 5000), 500, about(mean), time.Minute)
			if limit < 500 || took > mean*5/4 {
				t.Errorf("answers in %v: the limit came to %d, and they to %v", mean, limit, took)
			}
		})
	})
	t.Run("one that is overrun gets what it can do", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const mean, can = 50 * time.Millisecond, 50
			limit, took := load(t, make(vendorOf, can), 500, about(mean), time.Minute)
			if limit > 2*can || took > 2*mean {
				t.Errorf("%d at once: the limit came to %d, and answers to %v", can, limit, took)
			}
		})
	})
}

func TestLimiter_CallerThatStopsWaiting_LeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 1, 8)
		under, _ := l.acquire(t.Context(), "a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.acquire(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) || l.queued() != 0 || len(l.callers) != 0 {
			t.Errorf("%v, %d wait", err, l.queued())
		}
		under.Drop()
		if p, err := l.acquire(t.Context(), "c"); err != nil {
			t.Error(err)
		} else {
			p.Drop()
		}
	})
}

func TestPlaces_SizeChangesAndSomeLeave_TheOthersFollowInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		size := 1
		p := &places{size: func() int { return size }}
		if !p.tryAcquire() || p.tryAcquire() {
			t.Fatal("not one place")
		}
		ctx, leave := context.WithCancel(t.Context())
		var order []int
		for i := range 4 {
			of := t.Context()
			if i == 1 {
				of = ctx
			}
			go func() {
				if err := p.acquire(of); err == nil {
					order = append(order, i)
				} else if i != 1 || !errors.Is(err, context.Canceled) {
					t.Errorf("%d: %v", i, err)
				}
			}()
			synctest.Wait()
		}
		leave()
		synctest.Wait()
		if len(order) != 0 || p.waiting.Len() != 3 {
			t.Errorf("%v have places, %d wait", order, p.waiting.Len())
		}
		size = 2
		p.resized()
		synctest.Wait()
		size = 1
		p.release() // two are used, for one place
		synctest.Wait()
		if fmt.Sprint(order) != "[0]" || p.used != 1 {
			t.Errorf("%v followed, %d are used", order, p.used)
		}
		for range 2 {
			p.release()
			synctest.Wait()
		}
		if fmt.Sprint(order) != "[0 2 3]" || p.used != 1 || p.waiting.Len() != 0 {
			t.Errorf("%v followed, %d are used, %d wait", order, p.used, p.waiting.Len())
		}
	})
}

func TestCall_MoreThanMayBeUnderWay_IsShedOrWaits(t *testing.T) {
	t.Parallel()
	client, v, ended, answer := busy(t)
	go func() { ended <- copyOne(t.Context(), client) }()
	for client.Load().Queued == 0 {
		time.Sleep(time.Millisecond)
	}
	r := copyOne(t.Context(), client)
	r.want(t, "OVERLOADED", exchange.NotSent, 0, 0, "")
	if r.err.Code != codes.Unavailable || r.err.RetryAfter == nil {
		t.Errorf("%v, retry after %v", r.err, r.err.RetryAfter)
	}
	close(answer)
	for range 2 {
		(<-ended).want(t, "", exchange.Done, 201, 1, "")
	}
	if len(v.received()) != 2 {
		t.Errorf("the upstream received %d", len(v.received()))
	}
}

func TestCall_DeadlinePassesInTheQueue_NothingIsSent(t *testing.T) {
	t.Parallel()
	client, v, ended, answer := busy(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	copyOne(ctx, client).want(t, apierror.ReasonDeadlineBeforeSend, exchange.NotSent, 0, 0, "deadline exceeded")
	close(answer)
	(<-ended).want(t, "", exchange.Done, 201, 1, "")
	if len(v.received()) != 1 {
		t.Errorf("the vendor received %d", len(v.received()))
	}
}

// busy returns a client that may have one exchange under way and one call in its
// queue, with that exchange under way until answer is closed. What it came to is
// sent to ended.
func busy(t *testing.T) (client *Client, v *vendor, ended chan *result, answer chan struct{}) {
	t.Helper()
	arrived, answer := make(chan struct{}, 8), make(chan struct{})
	v = newVendor(t, nil, func(c net.Conn, r string) bool {
		arrived <- struct{}{}
		<-answer
		return answering(created())(c, r)
	})
	client = newClient(t, v.url(), func(c *Config) { c.MinInFlight, c.MaxInFlight, c.MaxQueue = 1, 1, 1 })
	ended = make(chan *result, 2)
	go func() { ended <- copyOne(t.Context(), client) }()
	<-arrived
	return client, v, ended, answer
}
