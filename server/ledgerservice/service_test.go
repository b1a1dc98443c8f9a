package ledgerservice_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/memory"
	"github.com/digate/digate/server/ledgerservice"
	"github.com/digate/digate/server/upstream"
)

const (
	template  = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	created   = "22222222-0d44-4b50-8888-8dd25736052a"
	another   = "11111111-0d44-4b50-8888-8dd25736052a"
	lease     = 15 * time.Second
	ownerGone = time.Minute
)

// fakeUpstream lists and reads its integrations, in their order.
type fakeUpstream struct {
	has []*integrationv1.Integration
}

func (u *fakeUpstream) Call(_ context.Context, call upstream.Call) error {
	if list, ok := call.Request.(*integrationv1.ListIntegrationsRequest); ok {
		from := 0
		if list.After != nil {
			from = 1 + slices.IndexFunc(u.has, func(in *integrationv1.Integration) bool { return in.GetId() == list.GetAfter() })
		}
		to := min(from+int(list.GetLimit()), len(u.has))
		proto.Merge(call.Response, &integrationv1.ListIntegrationsResponse{Data: u.has[from:to], HasMore: to < len(u.has)})
		return nil
	}
	id := call.Request.(*integrationv1.GetIntegrationRequest).GetIntegrationId()
	for _, in := range u.has {
		if strings.EqualFold(in.GetId(), id) {
			proto.Merge(call.Response, &integrationv1.GetIntegrationResponse{Integration: in})
			return nil
		}
	}
	return apierror.RouteNotFound()
}

// records is a ledger whose methods fail where away reports it, with an error that
// quotes its address.
type records struct {
	ledger.Store
	away func(method string) bool
}

var errAway = errors.New("dial tcp 10.1.2.3:5432: user=digate")

func (r records) fails(method string) error {
	if r.away != nil && r.away(method) {
		return errAway
	}
	return nil
}

func (r records) Get(ctx context.Context, key ledger.Digest) (ledger.Record, bool, error) {
	got, found, err := r.Store.Get(ctx, key)
	return got, found, errors.Join(err, r.fails("Get"))
}

func (r records) Named(ctx context.Context, ids []string) ([]string, error) {
	named, err := r.Store.Named(ctx, ids)
	return named, errors.Join(err, r.fails("Named"))
}

func (r records) Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, id string) error {
	if err := r.fails("Resolve"); err != nil {
		return err
	}
	return r.Store.Resolve(ctx, key, token, id)
}

// scene is the service on a ledger whose clock moves only by pass.
type scene struct {
	*ledgerservice.Service
	store    records
	upstream *fakeUpstream
	log      strings.Builder

	mu   sync.Mutex
	time time.Time
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{upstream: new(fakeUpstream), time: time.Unix(1_700_000_000, 0)}
	s.store.Store = memory.New(memory.Options{Now: s.now})
	s.serve(t)
	return s
}

// serve makes a new service after a change of the store.
func (s *scene) serve(t *testing.T) { s.Service = serve(t, s.config()) }

func (s *scene) config() ledgerservice.Config {
	return ledgerservice.Config{
		Ledger: s.store, Upstream: s.upstream, Key: key,
		Caller: func(context.Context) (string, error) { return "caller", nil },
		Store:  "memory", OwnerGone: ownerGone, Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	}
}

func serve(t *testing.T, cfg ledgerservice.Config) *ledgerservice.Service {
	t.Helper()
	s, err := ledgerservice.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.time
}

func (s *scene) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.time = s.time.Add(d)
}

func key(_ context.Context, m copies.Method, requestID string) (d ledger.Digest, _ error) {
	copy(d[:], requestID+m.LedgerName())
	return d, nil
}

// sending makes a record of a copy that is being sent.
func (s *scene) sending(t *testing.T, requestID string) ledger.Claim {
	t.Helper()
	k, _ := key(t.Context(), copies.CopyTemplate, requestID)
	c := ledger.Claim{Key: k, ParentID: template, Token: ledger.NewToken(), Lease: lease}
	_, mine, err := s.store.Claim(t.Context(), c)
	if err != nil || !mine {
		t.Fatal(mine, err)
	}
	if err := s.store.MarkSending(t.Context(), c.Key, c.Token, lease); err != nil {
		t.Fatal(err)
	}
	return c
}

// doubt makes a record that its owner marked as in doubt.
func (s *scene) doubt(t *testing.T, requestID string) {
	t.Helper()
	c := s.sending(t, requestID)
	if err := s.store.MarkUnknown(t.Context(), c.Key, c.Token); err != nil {
		t.Fatal(err)
	}
}

// integration returns an integration of the template, or of none.
func integration(id, source string, made time.Time) *integrationv1.Integration {
	in := &integrationv1.Integration{Id: id, CreatedAt: timestamppb.New(made)}
	if source != "" {
		in.SourceIntegrationTemplateId = &source
	}
	return in
}

func (s *scene) candidates(t *testing.T, requestID string) (ids []string) {
	t.Helper()
	got, err := s.GetCopy(t.Context(), &digatev1.GetCopyRequest{RequestId: requestID})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range got.GetCopy().GetCandidates() {
		ids = append(ids, c.GetIntegrationId())
	}
	slices.Sort(ids)
	return ids
}

func (s *scene) resolve(t *testing.T, requestID, integrationID string) (*digatev1.Copy, *apierror.Error) {
	t.Helper()
	req := &digatev1.ResolveCopyRequest{RequestId: requestID, Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true}}
	if integrationID != "" {
		req.Resolution = &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: integrationID}
	}
	got, err := s.ResolveCopy(t.Context(), req)
	return got.GetCopy(), apierror.FromError(err)
}

func wantReason(t *testing.T, what string, err *apierror.Error, want string) {
	t.Helper()
	if got := reason(err); got != want {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, want)
	}
}

func reason(err *apierror.Error) string {
	if err == nil {
		return ""
	}
	return err.Reason
}
