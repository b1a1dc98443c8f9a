package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/exchange/exchangetest"
	"github.com/digate/digate/server/integration"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/memory"
	"github.com/digate/digate/server/upstream"
)

// slowUpstream takes an hour for each copy that is sent, but for the one named quick.
type slowUpstream struct{ made atomic.Int64 }

func (u *slowUpstream) Call(_ context.Context, call upstream.Call) error {
	if _, err := call.BeforeSend(); err != nil {
		return err
	}
	if call.Request.(*integrationv1.CopyTemplateRequest).GetRequestId() != "quick" {
		time.Sleep(time.Hour)
	}
	u.made.Add(1)
	call.Response.(*integrationv1.CopyTemplateResponse).Integration = &integrationv1.Integration{Id: "made"}
	return nil
}

const itemTimeout = 7 * time.Second

// slowService returns a service whose copies go on for an hour once they are sent. Each
// copy is observed with the code of its end.
func slowService(t *testing.T, up copies.Upstream, concurrency int, observed func(codes.Code)) *integration.Service {
	t.Helper()
	keys, err := ledger.NewKeys(make([]byte, ledger.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	coordinator, err := copies.New(copies.Config{
		Upstream: up, Ledger: memory.New(memory.Options{}), Fingerprint: func(request []byte) ledger.Digest { return keys.Fingerprint(request) }, Timeout: 2 * time.Hour, Lease: time.Minute,
		Key: func(_ context.Context, m copies.Method, id string) (ledger.Digest, error) {
			return keys.Key("caller", m.LedgerName(), id), nil
		},
		Caller:   func(context.Context) uint64 { return 1 },
		Observer: exchangetest.Observer(exchangetest.Ignore), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newService(new(recorder), func(c *integration.Config) {
		c.Copies = coordinator
		c.Bulk = integration.BulkSettings{Concurrency: concurrency, MaxItems: 100, ItemTimeout: itemTimeout, StallTimeout: time.Minute}
		c.Observer = exchangetest.Observer(func(_ exchange.Operation, _ *exchange.Exchange, err error) { observed(status.Code(err)) })
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A copy that goes on when its time has passed has its result at that time, once, and
// holds up neither the stream nor another copy.
func TestBulkCopyTemplate_TimeOfACopyPasses_HasItsResultAndTheStreamGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var observed atomic.Int64
		up := new(slowUpstream)
		s := slowService(t, up, 1, func(codes.Code) { observed.Add(1) })
		stream := newBulkStream(t.Context())
		stream.ask("slow", "quick", "slow too")
		close(stream.in)
		began := time.Now()
		if err := s.BulkCopyTemplate(stream); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 2*itemTimeout {
			t.Errorf("the stream took %v", took)
		}
		close(stream.out) // a result that comes later panics
		var got []string
		for resp := range stream.out {
			got = append(got, fmt.Sprint(resp.GetRequestId(), " ", codes.Code(resp.GetError().GetCode()), " ", resp.GetSummary().GetUnknown()))
		}
		if want := "[slow DeadlineExceeded 0 quick OK 0 slow too DeadlineExceeded 0  OK 2]"; fmt.Sprint(got) != want || observed.Load() != 3 {
			t.Errorf("got %v, want %s; observed %d", got, want, observed.Load())
		}
		time.Sleep(2 * time.Hour)
		if n := up.made.Load(); n != 3 {
			t.Errorf("%d copies were made", n)
		}
	})
}

// Copies that began one after the other have their results one after the other.
func TestBulkCopyTemplate_TimesOfManyCopiesPass_EachHasItsResultInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := slowService(t, new(slowUpstream), 10, func(codes.Code) {})
		stream := newBulkStream(t.Context())
		began := time.Now()
		go func() {
			defer close(stream.in)
			stream.ask("quick")
			for n := range 3 {
				time.Sleep(time.Second)
				stream.ask(strconv.Itoa(n))
			}
		}()
		ended := make(chan error, 1)
		go func() { ended <- s.BulkCopyTemplate(stream) }()
		<-stream.out
		for n := range 3 {
			resp := <-stream.out
			if took, want := time.Since(began), time.Duration(n+1)*time.Second+itemTimeout; resp.GetRequestId() != strconv.Itoa(n) || took != want {
				t.Errorf("%v after %v, want the copy %d after %v", resp, took, n, want)
			}
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Hour)
	})
}

// A stream that its caller leaves ends at once, and the copies that were sent go on.
func TestBulkCopyTemplate_CallerLeaves_StreamEndsAndTheCopiesGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var cancelled atomic.Int64
		up := new(slowUpstream)
		s := slowService(t, up, 2, func(c codes.Code) {
			if c == codes.Canceled {
				cancelled.Add(1)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		stream := newBulkStream(ctx)
		stream.ask("a", "b", "c")
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		err := s.BulkCopyTemplate(stream)
		if took := time.Since(began); status.Code(err) != codes.Canceled || took != time.Second || cancelled.Load() != 2 {
			t.Errorf("%v after %v, %d copies observed", err, took, cancelled.Load())
		}
		time.Sleep(2 * time.Hour)
		if n := up.made.Load(); n != 2 {
			t.Errorf("%d copies were made", n)
		}
	})
}
