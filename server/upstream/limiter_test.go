package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
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
		wait("a")
		wait("a")
		if _, err := l.acquire(ctx, "a"); !errors.Is(err, errFull) {
			t.Errorf("a third of one caller: %v", err)
		}
		for i := range 6 {
			wait(fmt.Sprint("b", i))
		}
		if _, err := l.acquire(ctx, "c"); !errors.Is(err, errFull) || l.queued() != 8 {
			t.Errorf("a ninth of all: %v, %d wait", err, l.queued())
		}
		under.Drop() // they follow each other
		synctest.Wait()
		if l.queued() != 0 || len(l.callers) != 0 {
			t.Errorf("%d still wait, of %d callers", l.queued(), len(l.callers))
		}
		cancel()
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

func TestCall_MoreThanMayBeUnderWay_IsShedOrWaits(t *testing.T) {
	arrived, answer := make(chan struct{}, 8), make(chan struct{})
	v := newVendor(t, nil, func(c net.Conn, r string) bool {
		arrived <- struct{}{}
		<-answer
		return answering(created())(c, r)
	})
	client := newClient(t, v.url(), func(c *Config) { c.MinInFlight, c.MaxInFlight, c.MaxQueue = 1, 1, 1 })
	ended := make(chan *result, 2)
	go func() { ended <- copyOne(t.Context(), client) }()
	<-arrived
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
}

func TestCall_DeadlinePassesInTheQueue_NothingIsSent(t *testing.T) {
	arrived, answer := make(chan struct{}, 8), make(chan struct{})
	v := newVendor(t, nil, func(c net.Conn, r string) bool {
		arrived <- struct{}{}
		<-answer
		return answering(created())(c, r)
	})
	client := newClient(t, v.url(), func(c *Config) { c.MinInFlight, c.MaxInFlight, c.MaxQueue = 1, 1, 1 })
	ended := make(chan *result, 1)
	go func() { ended <- copyOne(t.Context(), client) }()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	copyOne(ctx, client).want(t, apierror.ReasonDeadlineBeforeSend, exchange.NotSent, 0, 0, "deadline exceeded")
	close(answer)
	<-ended
	if len(v.received()) != 1 {
		t.Errorf("the vendor received %d", len(v.received()))
	}
}
