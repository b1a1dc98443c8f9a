package ledgerservice_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/ledgerservice"
)

// A server that was cut off from the ledger sends all the same; a second copy
// under the id would be possible if it could be said that there is none.
func TestResolveCopy_NotCreatedWhileTheOwnerMayBeAtIt_IsRefusedUntilItIsGone(t *testing.T) {
	s := newScene(t)
	s.sending(t, "a")
	s.sending(t, "b")
	s.pass(lease)
	for range 3 {
		_, err := s.resolve(t, "a", "")
		wantReason(t, "not created", err, apierror.ReasonNotResolvable)
		if err != nil && !strings.Contains(err.Message, " from "+time.Now().UTC().Format("2006-01-02T")) {
			t.Errorf("it does not say from when on: %v", err)
		}
		s.pass(ownerGone/3 - time.Second)
	}
	if got, err := s.GetCopy(t.Context(), &digatev1.GetCopyRequest{RequestId: "a"}); err != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_UNKNOWN {
		t.Errorf("%v %v", got, err)
	}
	// That it created something can be said at once: nothing is sent for that.
	s.upstream.has = append(s.upstream.has, integration(created, template, s.now()))
	_, err := s.resolve(t, "b", created)
	wantReason(t, "created", err, "")
	s.pass(3 * time.Second)
	_, err = s.resolve(t, "a", "")
	wantReason(t, "not created, once the owner is gone", err, "")
}

func TestResolveCopy_NotCreatedOnceTheOwnerSaidIt_IsTakenAtOnce(t *testing.T) {
	s := newScene(t)
	s.doubt(t, "a")
	_, err := s.resolve(t, "a", "")
	wantReason(t, "not created", err, "")
	_, err = s.resolve(t, "a", "")
	wantReason(t, "again", err, apierror.ReasonNoRecord)
	if !strings.Contains(s.log.String(), "resolution=not_created") {
		t.Error("no audit line")
	}
}

// Two who settle their doubts with one integration see both that it is free.
func TestResolveCopy_IntegrationThatAnotherRecordGotMeanwhile_IsRefused(t *testing.T) {
	s := newScene(t)
	s.doubt(t, "a")
	s.doubt(t, "b")
	s.upstream.has = append(s.upstream.has, integration(created, template, s.now()))
	s.store.away = func(method string) bool {
		if method == "Named" { // and right after it:
			k, _ := key(t.Context(), "b")
			r, _, err := s.store.Store.Get(t.Context(), k)
			if err := errors.Join(err, s.store.Store.Resolve(t.Context(), k, r.Token, created)); err != nil {
				t.Error(err)
			}
		}
		return false
	}
	s.serve(t)
	_, err := s.resolve(t, "a", created)
	wantReason(t, "the second", err, apierror.ReasonNotResolvable)
}

func TestResolveCopy_IntegrationThatDigaShows_IsTakenAsItSpellsIt(t *testing.T) {
	s := newScene(t)
	s.doubt(t, "a")
	s.upstream.has = append(s.upstream.has,
		integration("aaaaaaaa-0000-4000-8000-000000000000", "", s.now()), integration("bbbbbbbb-0000-4000-8000-000000000000", another, s.now()), integration("cccccccc-0000-4000-8000-000000000000", template, s.now().Add(-time.Hour)))
	if got := s.candidates(t, "a"); len(got) != 1 || got[0] != "aaaaaaaa-0000-4000-8000-000000000000" {
		t.Errorf("candidates %q", got)
	}
	for _, id := range []string{"bbbbbbbb-0000-4000-8000-000000000000", "cccccccc-0000-4000-8000-000000000000", "dddddddd-0000-4000-8000-000000000000"} {
		_, err := s.resolve(t, "a", id)
		wantReason(t, id, err, apierror.ReasonNotResolvable)
	}
	for _, id := range []string{strings.Repeat("x", 256), "a\x00b"} {
		_, err := s.resolve(t, "a", id)
		wantReason(t, "what is no id", err, apierror.ReasonInvalidRequest)
	}
	got, err := s.resolve(t, "a", "AAAAAAAA-0000-4000-8000-000000000000")
	if err != nil || got.GetIntegrationId() != "aaaaaaaa-0000-4000-8000-000000000000" || got.GetState() != digatev1.Copy_STATE_DONE {
		t.Errorf("got %v, error %v", got, err)
	}
	s.doubt(t, "b")
	if got := s.candidates(t, "b"); len(got) != 0 {
		t.Errorf("candidates %q, which the first was settled with", got)
	}
	_, err = s.resolve(t, "b", "aaaaaaaa-0000-4000-8000-000000000000")
	wantReason(t, "what another record names", err, apierror.ReasonNotResolvable)
}

// OwnerGone is a bound in both directions: a moment before it nobody may say that
// the copy created nothing, and from then on anybody may.
func TestResolveCopy_NotCreated_IsTakenFromTheMomentTheOwnerIsGone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.sending(t, "a")
	s.pass(lease + ownerGone - time.Nanosecond)
	_, err := s.resolve(t, "a", "")
	wantReason(t, "a moment before", err, apierror.ReasonNotResolvable)
	s.pass(time.Nanosecond)
	_, err = s.resolve(t, "a", "")
	wantReason(t, "when the owner is gone", err, "")
}

// A service that was not told how long an owner may go on would take a
// resolution too early, and a second copy could follow.
func TestNew_WithoutTheTimeOfAnOwner_IsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, gone := range []time.Duration{0, -1} {
		cfg := s.config()
		cfg.OwnerGone = gone
		if _, err := ledgerservice.New(cfg); err == nil {
			t.Errorf("%v is taken", gone)
		}
	}
}
