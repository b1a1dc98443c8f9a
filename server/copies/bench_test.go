package copies_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/memory"
	"github.com/digate/digate/server/ledger/watch"
	"github.com/digate/digate/server/upstream"
)

// quickUpstream makes every copy at once, and waits for the end of the context as a
// connection does.
type quickUpstream struct{ made *integrationv1.Integration }

func (q quickUpstream) Call(ctx context.Context, call upstream.Call) error {
	if call.BeforeSend != nil {
		var err error
		if ctx, err = call.BeforeSend(); err != nil {
			return err
		}
	}
	defer context.AfterFunc(ctx, func() {})()
	call.Response.(*integrationv1.CopyTemplateResponse).Integration = q.made
	return nil
}

// ignoring is an observer that does nothing.
type ignoring struct{}

func (ignoring) LedgerCalled(context.Context, string, time.Duration, ledger.Cause) {}
func (ignoring) LedgerLost(ledger.Cause, error)                                    {}
func (ignoring) LedgerBack(ledger.Cause, time.Duration)                            {}

// newQuick returns a function that makes a copy with a new request id, in front of an
// upstream that takes no time.
func newQuick(tb testing.TB) func() {
	l := watch.New(watch.Config{Store: ledger.KeepAnyID(memory.New(memory.Options{})), Cause: ledger.CauseOf, Observer: ignoring{}})
	up := quickUpstream{&integrationv1.Integration{Id: "7b0c1f6e-2a3c-4b50-8888-8dd25736052a"}}
	s := newReplica(tb, up, l)
	caller, cancel := context.WithTimeout(tb.Context(), time.Hour)
	tb.Cleanup(cancel)
	var made atomic.Int64
	name, apiKey := "CRM", "k-0123456789abcdef"
	return func() {
		ctx, _ := exchange.NewContext(caller)
		_, _, err := s.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{
			TemplateId: uuid, Name: &name, ApiKey: &apiKey, RequestId: "r-" + strconv.FormatInt(made.Add(1), 10),
		}, copies.Before{})
		if err != nil {
			tb.Error(err)
		}
	}
}

func BenchmarkCopyTemplate(b *testing.B) {
	call := newQuick(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			call()
		}
	})
}
