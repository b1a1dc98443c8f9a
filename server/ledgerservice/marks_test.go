package ledgerservice_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange/exchangetest"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

// renaming is the upstream of a scene that renames integrations too, unless it fails.
type renaming struct {
	*fakeUpstream
	fails bool
}

func (u *renaming) Call(ctx context.Context, call upstream.Call) error {
	req, ok := call.Request.(*integrationv1.UpdateIntegrationRequest)
	if !ok {
		return u.fakeUpstream.Call(ctx, call)
	}
	if u.fails {
		return apierror.RouteNotFound()
	}
	for _, in := range u.has {
		if in.GetId() == req.GetIntegrationId() {
			in.Name = req.GetName()
			proto.Merge(call.Response, &integrationv1.UpdateIntegrationResponse{Integration: in})
		}
	}
	return nil
}

// mark makes the scene's service look for marks, and returns the upstream and the name
// of an integration that a call was sent with.
func (s *scene) mark(t *testing.T) (up *renaming, name func(requestID string) string) {
	t.Helper()
	up = &renaming{fakeUpstream: s.upstream}
	marks := &copies.Marks{
		Mark:     func(key ledger.Digest, token ledger.Token) string { return fmt.Sprintf("%x%x", key[0], token[:4]) },
		Upstream: up, Ledger: s.store, Observer: exchangetest.Observer(exchangetest.Ignore), Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	}
	cfg := s.config()
	cfg.Marks = marks
	s.Service = serve(t, cfg)
	return up, func(requestID string) string {
		k, _ := key(t.Context(), copies.CopyTemplate, requestID)
		r, _, err := s.store.Store.Get(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		return "asked~" + marks.Mark(k, r.Token)
	}
}

func (s *scene) get(t *testing.T, requestID string) (*digatev1.Copy, *apierror.Error) {
	t.Helper()
	got, err := s.GetCopy(t.Context(), &digatev1.GetCopyRequest{RequestId: requestID})
	return got.GetCopy(), apierror.FromError(err)
}

func TestGetCopy_IntegrationWithTheMark_SettlesTheDoubtAndGetsItsName(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		s := newScene(t)
		up, name := s.mark(t)
		s.doubt(t, "a")
		made := integration(created, template, s.now())
		made.Name, up.fails = name("a"), fails
		s.upstream.has = append(s.upstream.has, integration(another, template, s.now()), made)
		got, err := s.get(t, "a")
		if err != nil || got.GetState() != digatev1.Copy_STATE_DONE || got.GetIntegrationId() != created || len(got.GetCandidates()) > 0 {
			t.Errorf("%v %v", got, err)
		}
		if (made.GetName() == "asked") == fails {
			t.Errorf("renaming fails %v: the name is %q", fails, made.GetName())
		}
		if log := s.log.String(); !strings.Contains(log, "settled by its mark") || strings.Contains(log, "keeps the mark") != fails {
			t.Errorf("renaming fails %v: %s", fails, log)
		}
	}
}

// Another server settles the doubt, or frees the id, between the list and the ledger.
func TestGetCopy_SettledMeanwhile_ShowsWhatIsRecordedNow(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{created: "", another: "", "": apierror.ReasonNoRecord} {
		s := newScene(t)
		s.store.away = func(method string) bool {
			if method == "Resolve" {
				k, _ := key(t.Context(), copies.CopyTemplate, "a")
				r, _, err := s.store.Store.Get(t.Context(), k)
				if err != nil || s.store.Store.Resolve(t.Context(), k, r.Token, id) != nil {
					t.Error(err)
				}
			}
			return false
		}
		_, name := s.mark(t)
		s.doubt(t, "a")
		made := integration(created, template, s.now())
		made.Name = name("a")
		s.upstream.has = append(s.upstream.has, made)
		got, err := s.get(t, "a")
		wantReason(t, id, err, want)
		if err == nil && (got.GetState() != digatev1.Copy_STATE_DONE || got.GetIntegrationId() != id) {
			t.Errorf("%q: %v", id, got)
		}
	}
}

// What has the mark and cannot be recorded is the only thing that the call can have
// created.
func TestResolveCopy_MarkOfWhatCannotBeRecorded_AllowsNothingElse(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, name := s.mark(t)
	s.doubt(t, "a")
	long := strings.Repeat("x", ledger.MaxIDLen+1)
	made := integration(long, template, s.now())
	made.Name = name("a")
	s.upstream.has = append(s.upstream.has, made, integration(another, template, s.now()))
	got, err := s.get(t, "a")
	if err != nil || got.GetState() != digatev1.Copy_STATE_UNKNOWN || len(got.GetCandidates()) != 1 || got.GetCandidates()[0].GetIntegrationId() != long {
		t.Errorf("%v %v", got, err)
	}
	for _, id := range []string{"", another} {
		_, err := s.resolve(t, "a", id)
		wantReason(t, id, err, apierror.ReasonNotResolvable)
	}
}

func TestResolveCopy_NoMarkIsFound_IsSettledAsBefore(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.mark(t)
	s.doubt(t, "a")
	s.doubt(t, "b")
	s.upstream.has = append(s.upstream.has, integration(created, template, s.now()))
	_, err := s.resolve(t, "a", created)
	wantReason(t, "created", err, "")
	_, err = s.resolve(t, "b", "")
	wantReason(t, "not created", err, "")
}
