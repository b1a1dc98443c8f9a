package copies_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/exchange/exchangetest"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

// fakeUpstream is an upstream that creates an integration for every copy.
type fakeUpstream struct {
	mu    sync.Mutex
	made  []*integrationv1.Integration
	reads int
	// before runs before a request is sent, and after runs once the integration is
	// there. The call fails with their error. They get the number of integrations.
	before, after func(ctx context.Context, n int) error
	read          error
}

func (up *fakeUpstream) Call(ctx context.Context, call upstream.Call) error {
	ex := exchange.FromContext(ctx)
	if up.before != nil {
		if err := up.before(ctx, len(up.list())); err != nil {
			return err
		}
	}
	if call.BeforeSend != nil {
		sent, err := call.BeforeSend()
		if err != nil {
			return err
		}
		if sent != nil {
			ctx = sent
		}
	}
	ex.Attempts = append(ex.Attempts, exchange.Attempt{Status: 201, Outcome: exchange.Done})
	switch resp := call.Response.(type) {
	case *integrationv1.CopyTemplateResponse:
		up.mu.Lock()
		in := &integrationv1.Integration{
			Id: fmt.Sprintf("id-%d", len(up.made)), CreatedAt: timestamppb.Now(),
			SourceIntegrationTemplateId: new(call.Request.(*integrationv1.CopyTemplateRequest).GetTemplateId()),
		}
		up.made = append(up.made, in)
		n := len(up.made)
		up.mu.Unlock()
		ex.Body, ex.Relay, ex.Status = []byte(in.GetId()), true, 201
		if up.after != nil {
			if err := up.after(ctx, n); err != nil {
				return err
			}
		}
		resp.Integration = in
	case *integrationv1.GetIntegrationResponse:
		up.mu.Lock()
		defer up.mu.Unlock()
		up.reads++
		if up.read != nil {
			return up.read
		}
		resp.Integration = &integrationv1.Integration{Id: call.Request.(*integrationv1.GetIntegrationRequest).GetIntegrationId(), Name: "read"}
		ex.Body, ex.Relay, ex.Status = []byte("read"), true, 200
	case *integrationv1.ListIntegrationsResponse:
		resp.Data = up.list()
	default:
		return errors.New("unexpected " + call.Method)
	}
	return nil
}

func (up *fakeUpstream) list() []*integrationv1.Integration {
	up.mu.Lock()
	defer up.mu.Unlock()
	return append([]*integrationv1.Integration(nil), up.made...)
}

// respondIn returns a hook of [fakeUpstream] that takes so long. If the context ends
// before that, the response is lost.
func respondIn(d time.Duration) func(ctx context.Context, n int) error {
	return func(ctx context.Context, _ int) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return apierror.ResponseLost(ctx.Err(), true)
		}
	}
}

const (
	uuid  = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	lease = 15 * time.Second
)

// newReplica returns a coordinator on the ledger. Several coordinators on one ledger
// are replicas.
func newReplica(t testing.TB, up copies.Upstream, l copies.Ledger, change ...func(*copies.Config)) *copies.Coordinator {
	t.Helper()
	keys, err := ledger.NewKeys(make([]byte, ledger.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	cfg := copies.Config{
		Upstream: up, Ledger: l,
		Key: func(ctx context.Context, m copies.Method, id string) (ledger.Digest, error) {
			caller, _ := ctx.Value(callerKey{}).(string)
			return keys.Key(caller, m.LedgerName(), id), nil
		},
		Caller: func(ctx context.Context) uint64 {
			caller, _ := ctx.Value(callerKey{}).(string)
			return uint64(len(caller)) + 1
		},
		Fingerprint: func(request []byte) ledger.Digest { return keys.Fingerprint(request) }, Timeout: 30 * time.Second, Lease: lease,
		Observer: exchangetest.Observer(exchangetest.Ignore),
		Log:      slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := copies.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type callerKey struct{}

// as returns the context of another caller.
func as(ctx context.Context, caller string) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// result is what a call returned, with its exchange.
type result struct {
	id  string
	err *apierror.Error
	ex  *exchange.Exchange
}

// copyAs makes a copy with the request id and the name.
func copyAs(ctx context.Context, s *copies.Coordinator, requestID, name string) result {
	ctx, ex := exchange.NewContext(ctx)
	in, _, err := s.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: uuid, Name: &name, RequestId: requestID}, copies.Before{})
	if err != nil {
		return result{"", apierror.FromError(err), ex}
	}
	return result{in.GetId(), nil, ex}
}

// want fails the test unless the call returned the id, or failed with the reason and
// the outcome.
func (r result) want(t *testing.T, id, reason string, outcome exchange.Outcome) {
	t.Helper()
	got := ""
	if r.err != nil {
		got = r.err.Reason
		if r.err.Outcome != outcome {
			t.Errorf("outcome %v, want %v (%v)", r.err.Outcome, outcome, r.err)
		}
	}
	if r.id != id || got != reason {
		t.Errorf("got %q, %v; want %q, %q", r.id, r.err, id, reason)
	}
}
