package upstream

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

func TestCall_MoreThanMayBeUnderWay_IsShedOrWaits(t *testing.T) {
	t.Parallel()
	client, v, ended, respond := busy(t)
	go func() { ended <- copyOne(t.Context(), client) }()
	for client.Load().Queued == 0 {
		time.Sleep(time.Millisecond)
	}
	r := copyOne(t.Context(), client)
	r.want(t, "OVERLOADED", exchange.NotSent, 0, 0, "")
	if r.err.Code != codes.Unavailable || r.err.RetryAfter == nil {
		t.Errorf("%v, retry after %v", r.err, r.err.RetryAfter)
	}
	close(respond)
	for range 2 {
		(<-ended).want(t, "", exchange.Done, 201, 1, "")
	}
	if len(v.received()) != 2 {
		t.Errorf("the upstream received %d", len(v.received()))
	}
}

func TestCall_DeadlinePassesInTheQueue_NothingIsSent(t *testing.T) {
	t.Parallel()
	client, v, ended, respond := busy(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	copyOne(ctx, client).want(t, apierror.ReasonDeadlineBeforeSend, exchange.NotSent, 0, 0, "deadline exceeded")
	close(respond)
	(<-ended).want(t, "", exchange.Done, 201, 1, "")
	if len(v.received()) != 1 {
		t.Errorf("the upstream received %d", len(v.received()))
	}
}

// busy returns a client that may have one exchange under way and one call in its
// queue, with that exchange under way until respond is closed. What it came to is
// sent to ended.
func busy(t *testing.T) (client *Client, v *fakeUpstream, ended chan *result, respond chan struct{}) {
	t.Helper()
	arrived, respond := make(chan struct{}, 8), make(chan struct{})
	v = newUpstream(t, nil, func(c net.Conn, r string) bool {
		arrived <- struct{}{}
		<-respond
		return responding(created())(c, r)
	})
	client = newClient(t, v.url(), func(c *Config) { c.MinInFlight, c.MaxInFlight, c.MaxQueue = 1, 1, 1 })
	ended = make(chan *result, 2)
	go func() { ended <- copyOne(t.Context(), client) }()
	<-arrived
	return client, v, ended, respond
}
