package integration_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/exchange/exchangetest"
	"github.com/digate/digate/server/integration"
	"github.com/digate/digate/server/upstream"
)

// lists is an upstream with a list of integrations that changes while it is read.
type lists struct {
	mu  sync.Mutex
	has []string
	// before runs before each page, with its number from 1.
	before func(n int, l *lists)
	asked  []string // the page size and the cursor of each page
	more   bool     // there is always more
	lastID string   // what pages say instead of their last item's id
	most   int32    // how many items a response can hold; any number if 0, none if negative
}

func (l *lists) Call(ctx context.Context, call upstream.Call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return apierror.NotBegun(err)
	}
	req := call.Request.(*integrationv1.ListIntegrationsRequest)
	l.asked = append(l.asked, fmt.Sprint(req.GetLimit(), " ", req.GetAfter()))
	if l.before != nil {
		l.before(len(l.asked), l)
	}
	if l.most != 0 && req.GetLimit() > l.most {
		return apierror.ResponseLost(upstream.ErrResponseTooLarge, false)
	}
	from := 0
	if req.After != nil {
		at := slices.Index(l.has, req.GetAfter())
		if l.lastID != "" {
			at = -1
		} else if at < 0 {
			return apierror.InvalidRequest(apierror.Violation{Field: "after", Description: "is not in this list"})
		}
		from = at + 1
	}
	to := min(from+int(req.GetLimit()), len(l.has))
	resp := &integrationv1.ListIntegrationsResponse{HasMore: l.more || to < len(l.has)}
	for _, id := range l.has[from:to] {
		resp.Data = append(resp.Data, &integrationv1.Integration{Id: id})
		resp.LastId = &id
	}
	if l.lastID != "" {
		resp.LastId = &l.lastID
	}
	proto.Merge(call.Response, resp)
	return nil
}

func (l *lists) remove(id string) {
	l.has = slices.DeleteFunc(l.has, func(x string) bool { return x == id })
}

func numbered(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("%08d-0000-4000-8000-000000000000", i))
	}
	return ids
}

// taken is the stream of a caller, who takes each item when take returns.
type taken struct {
	grpc.ServerStream
	ctx  context.Context
	mu   sync.Mutex
	ids  []string
	take func(n int) error
}

func (s *taken) Context() context.Context { return s.ctx }

func (s *taken) Send(resp *integrationv1.StreamIntegrationsResponse) error {
	s.mu.Lock()
	s.ids = append(s.ids, resp.GetIntegration().GetId())
	n := len(s.ids)
	s.mu.Unlock()
	if s.take != nil {
		return s.take(n)
	}
	return nil
}

func streamed(t *testing.T, up integration.Upstream, req *integrationv1.StreamIntegrationsRequest, change ...func(*integration.Config)) (*taken, error) {
	t.Helper()
	s, err := newService(up, append(change, func(c *integration.Config) {
		if c.Bulk.StallTimeout == 0 {
			c.Bulk.StallTimeout = time.Minute
		}
	})...)
	if err != nil {
		t.Fatal(err)
	}
	out := &taken{ctx: t.Context()}
	return out, s.StreamIntegrations(req, out)
}

func TestStream_AllPages_ComeAsOne(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 99, 100, 101, 250} {
		up := &lists{has: numbered(n)}
		pages := 0
		out, err := streamed(t, up, new(integrationv1.StreamIntegrationsRequest), func(c *integration.Config) {
			c.Observer = exchangetest.Observer(func(op exchange.Operation, _ *exchange.Exchange, err error) {
				if pages++; op.Kind != exchange.InnerRead || err != nil {
					t.Errorf("%v %v", op, err)
				}
			})
		})
		if err != nil || !slices.Equal(out.ids, up.has) || pages != len(up.asked) || pages != max(1, (n+99)/100) {
			t.Errorf("%d: %d items, %d pages of %d, error %v", n, len(out.ids), pages, len(up.asked), err)
		}
	}
}

func TestStream_AfterAndMaxItems_BoundIt(t *testing.T) {
	t.Parallel()
	all := numbered(250)
	up := &lists{has: all}
	out, err := streamed(t, up, &integrationv1.StreamIntegrationsRequest{After: &all[9], MaxItems: new(int32(120))})
	if err != nil || !slices.Equal(out.ids, all[10:130]) {
		t.Errorf("%d items, error %v", len(out.ids), err)
	}
	if want := []string{"100 " + all[9], "20 " + all[109]}; !slices.Equal(up.asked, want) {
		t.Errorf("asked for %q, want %q", up.asked, want)
	}
	if _, err := streamed(t, up, &integrationv1.StreamIntegrationsRequest{MaxItems: new(int32(0))}); apierror.FromError(err).Code != codes.InvalidArgument {
		t.Errorf("no items: %v", err)
	}
	unknown := "ffffffff-0000-4000-8000-000000000000"
	if out, err := streamed(t, up, &integrationv1.StreamIntegrationsRequest{After: &unknown}); apierror.FromError(err).Code != codes.InvalidArgument || len(out.ids) > 0 {
		t.Errorf("an unknown cursor: %v", err)
	}
}

func TestStream_ListThatShifts_HasEachItemOnce(t *testing.T) {
	t.Parallel()
	all := numbered(300)
	for name, c := range map[string]struct {
		before  func(n int, l *lists)
		missing []string
	}{
		"new ones in front": {before: func(n int, l *lists) {
			if n > 1 {
				l.has = slices.Concat(numbered(400)[300+n:300+n+3], l.has)
			}
		}},
		"the cursor is deleted": {before: func(n int, l *lists) {
			if n == 2 {
				l.remove(all[99])
			}
		}},
		"the end of the page is deleted": {before: func(n int, l *lists) {
			if n == 2 {
				for _, id := range all[50:100] {
					l.remove(id)
				}
			}
		}},
		"one behind is deleted": {missing: []string{all[150]}, before: func(n int, l *lists) {
			if n == 2 {
				l.remove(all[150])
			}
		}},
		"one moves back": {before: func(n int, l *lists) {
			if n == 2 {
				l.remove(all[5])
				l.has = slices.Insert(l.has, 200, all[5])
			}
		}},
	} {
		up := &lists{has: slices.Clone(all), before: c.before}
		out, err := streamed(t, up, new(integrationv1.StreamIntegrationsRequest))
		want := slices.DeleteFunc(slices.Clone(all), func(id string) bool { return slices.Contains(c.missing, id) })
		if got := slices.Sorted(slices.Values(out.ids)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %d items, error %v, asked %q", name, len(got), err, up.asked)
		}
	}
}

func TestStream_ListWithoutAnEnd_EndsWithAnError(t *testing.T) {
	t.Parallel()
	for name, up := range map[string]*lists{
		"the same page again": {has: numbered(1), more: true, before: func(n int, l *lists) {
			l.has = slices.Repeat(numbered(1), 1+n)
		}},
		"empty":               {more: true},
		"items without an id": {has: []string{""}, more: true, before: func(n int, l *lists) { l.lastID = "x" }},
	} {
		out, err := streamed(t, up, new(integrationv1.StreamIntegrationsRequest))
		if e := apierror.FromError(err); e == nil || e.Reason != apierror.ReasonInvalidResponse || len(out.ids) > 2 {
			t.Errorf("%s: %v after %d items", name, err, len(out.ids))
		}
	}
}

// A list that knows none of its cursors is asked a few times, and not once for each.
func TestStream_ListThatIsGone_IsAskedAFewTimes(t *testing.T) {
	t.Parallel()
	up := &lists{has: numbered(300), before: func(n int, l *lists) {
		if n > 1 {
			l.has = nil
		}
	}}
	out, err := streamed(t, up, new(integrationv1.StreamIntegrationsRequest))
	if apierror.FromError(err).Code != codes.InvalidArgument || len(out.ids) != 100 || len(up.asked) > 9 {
		t.Errorf("%d items, %d pages, error %v", len(out.ids), len(up.asked), err)
	}
}

// A page of large items is asked for again with half as many, and the next page too.
func TestStream_PageIsTooLarge_IsReadInSmallerOnes(t *testing.T) {
	t.Parallel()
	up := &lists{has: numbered(30), most: 25}
	out, err := streamed(t, up, &integrationv1.StreamIntegrationsRequest{})
	if err != nil || !slices.Equal(out.ids, numbered(30)) {
		t.Errorf("%d items, %v", len(out.ids), err)
	}
	if want := []string{"100 ", "50 ", "25 ", "25 " + numbered(25)[24]}; !slices.Equal(up.asked, want) {
		t.Errorf("asked for %q, want %q", up.asked, want)
	}
	up = &lists{has: numbered(30), most: 1}
	if out, err = streamed(t, up, &integrationv1.StreamIntegrationsRequest{MaxItems: new(int32(2))}); err != nil || len(out.ids) != 2 {
		t.Errorf("%d items, %v", len(out.ids), err)
	}
}

// An item that is too large by itself ends the stream.
func TestStream_ItemIsTooLarge_EndsWithAnError(t *testing.T) {
	t.Parallel()
	up := &lists{has: numbered(30), most: -1}
	_, err := streamed(t, up, &integrationv1.StreamIntegrationsRequest{})
	if e := apierror.FromError(err); e == nil || e.Reason != apierror.ReasonOutcomeUnknown || len(up.asked) != 7 {
		t.Errorf("%v after %q", err, up.asked)
	}
}

// A page is asked for once the items of the page before were taken.
func TestStream_ReaderWhoIsSlow_SlowsDownTheRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := &lists{has: numbered(250)}
		s, err := newService(up, func(c *integration.Config) { c.Bulk.StallTimeout = time.Minute })
		if err != nil {
			t.Fatal(err)
		}
		took := make(chan struct{})
		out := &taken{ctx: t.Context(), take: func(int) error { <-took; return nil }}
		ended := make(chan error, 1)
		go func() { ended <- s.StreamIntegrations(new(integrationv1.StreamIntegrationsRequest), out) }()
		for n := range 250 {
			synctest.Wait()
			if want := 1 + n/100; len(up.asked) != want {
				t.Fatalf("after %d items %d pages were asked for", n, len(up.asked))
			}
			took <- struct{}{}
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestStream_ReaderWhoTakesNothing_IsEndedAfterTheStallTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := newService(&lists{has: numbered(3)}, func(c *integration.Config) { c.Bulk.StallTimeout = time.Minute })
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = s.StreamIntegrations(new(integrationv1.StreamIntegrationsRequest), &taken{ctx: ctx, take: func(n int) error {
			if n == 2 {
				<-ctx.Done()
				return ctx.Err()
			}
			time.Sleep(50 * time.Second) // slow, and moving
			return nil
		}})
		if e := apierror.FromError(err); e == nil || e.Reason != apierror.ReasonStalled || e.Outcome != exchange.NotSent || time.Since(began) != 110*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		cancel()
	})
}

func TestStream_ServerStops_EndsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		draining := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		s, err := newService(&lists{has: numbered(3)}, func(c *integration.Config) { c.Bulk.StallTimeout, c.Draining = time.Minute, draining })
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { close(draining) })
		err = s.StreamIntegrations(new(integrationv1.StreamIntegrationsRequest), &taken{ctx: ctx, take: func(int) error { <-ctx.Done(); return ctx.Err() }})
		if e := apierror.FromError(err); e == nil || e.Reason != apierror.ReasonDraining || e.Code != codes.Unavailable || e.Outcome != exchange.NotSent || !strings.Contains(e.Message, "go on after the last item") {
			t.Errorf("%v", err)
		}
		cancel()
	})
}

// hangs is an upstream whose pages after the first never come.
type hangs struct{ lists }

func (h *hangs) Call(ctx context.Context, call upstream.Call) error {
	if err := h.lists.Call(ctx, call); len(h.asked) == 1 {
		return err
	}
	<-ctx.Done()
	return apierror.ResponseLost(ctx.Err(), false)
}

// The outcome is that of the page that would come next: one that was asked for may have
// been read.
func TestStream_EndsWhileAPageIsAskedFor_IsUnknown(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		after  time.Duration
		reason string
	}{
		"the server stops": {time.Second, apierror.ReasonDraining},
		"it stands still":  {time.Hour, apierror.ReasonStalled},
	} {
		synctest.Test(t, func(t *testing.T) {
			draining := make(chan struct{})
			stop := time.AfterFunc(end.after, func() { close(draining) })
			up := &hangs{lists{has: numbered(200)}}
			out, err := streamed(t, up, new(integrationv1.StreamIntegrationsRequest), func(c *integration.Config) { c.Draining = draining })
			if e := apierror.FromError(err); e == nil || e.Reason != end.reason || e.Outcome != exchange.Unknown || len(out.ids) != 100 {
				t.Errorf("%s: %v after %d items", name, err, len(out.ids))
			}
			stop.Stop()
		})
	}
}

// A caller who has seen enough leaves, which is no failure of unknown outcome.
func TestStream_ReaderWhoLeaves_LeavesNothingUnknown(t *testing.T) {
	t.Parallel()
	s, err := newService(&lists{has: numbered(3)}, func(c *integration.Config) { c.Bulk.StallTimeout = time.Minute })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = s.StreamIntegrations(new(integrationv1.StreamIntegrationsRequest), &taken{ctx: ctx, take: func(int) error {
		cancel()
		return status.FromContextError(ctx.Err()).Err()
	}})
	if e := apierror.FromError(err); e == nil || e.Code != codes.Canceled || e.Outcome != exchange.NotSent {
		t.Errorf("%v", err)
	}
}
