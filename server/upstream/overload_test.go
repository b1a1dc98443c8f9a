package upstream

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

func TestCall_MoreThanMayBeUnderWay_IsShedOrWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, v, ended, respond := busy(t)
		go func() { ended <- copyOne(t.Context(), client) }()
		synctest.Wait()
		if got := client.Load().Queued; got != 1 {
			t.Errorf("%d wait, want 1", got)
		}
		r := copyOne(t.Context(), client)
		r.want(t, "OVERLOADED", exchange.NotSent, 0, 0, "")
		if r.err.Code != codes.Unavailable || r.err.RetryAfter == nil {
			t.Errorf("%v, retry after %v", r.err, r.err.RetryAfter)
		}
		close(respond)
		for range 2 {
			(<-ended).wantDone(t)
		}
		if len(v.received()) != 2 {
			t.Errorf("the upstream received %d", len(v.received()))
		}
	})
}

func TestCall_DeadlinePassesInTheQueue_NothingIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, v, ended, respond := busy(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		copyOne(ctx, client).want(t, apierror.ReasonDeadlineBeforeSend, exchange.NotSent, 0, 0, "deadline exceeded")
		close(respond)
		(<-ended).wantDone(t)
		if len(v.received()) != 1 {
			t.Errorf("the upstream received %d", len(v.received()))
		}
	})
}

// wantDone wants a success in one attempt, however little time that took.
func (r *result) wantDone(t *testing.T) {
	t.Helper()
	if r.err != nil || r.ex.Outcome != exchange.Done || r.ex.Status != 201 || len(r.ex.Attempts) != 1 {
		t.Errorf("got %v, %v, HTTP %d, %d attempts", r.err, r.ex.Outcome, r.ex.Status, len(r.ex.Attempts))
	}
}

// busy returns a client that may have one exchange under way and one call in its
// queue, with that exchange under way until respond is closed. Its result is sent
// to ended.
func busy(t *testing.T) (client *Client, v *fakeUpstream, ended chan *result, respond chan struct{}) {
	t.Helper()
	respond = make(chan struct{})
	v, client = newPiped(t, func(c net.Conn, r string) bool {
		<-respond
		return responding(created())(c, r)
	}, func(c *Config) { c.MaxInFlight, c.MaxQueue = 1, 1 })
	ended = make(chan *result, 2)
	go func() { ended <- copyOne(t.Context(), client) }()
	synctest.Wait()
	return client, v, ended, respond
}
