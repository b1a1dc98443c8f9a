package ledgerservice_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/ledgerservice"
)

// A server that was cut off from the ledger may still send its copy. If the copy
// were settled as not created meanwhile, a second one could follow.
func TestResolveCopy_NotCreatedWhileTheOwnerMayBeSending_IsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.sending(t, "a")
	s.sending(t, "b")
	s.pass(lease)
	for range 3 {
		_, err := s.resolve(t, "a", "")
		wantReason(t, "not created", err, apierror.ReasonNotResolvable)
		if err != nil && !strings.Contains(err.Message, " from "+time.Now().UTC().Format("2006-01-02T")) {
			t.Errorf("the message does not have the time from which it can be settled: %v", err)
		}
		s.pass(ownerGone/3 - time.Second)
	}
	if got, err := s.GetCopy(t.Context(), &digatev1.GetCopyRequest{RequestId: "a"}); err != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_UNKNOWN {
		t.Errorf("%v %v", got, err)
	}
	// The copy can be settled with an integration at once: nothing is sent after that.
	s.upstream.has = append(s.upstream.has, integration(created, template, s.now()))
	_, err := s.resolve(t, "b", created)
	wantReason(t, "created", err, "")
	s.pass(3 * time.Second)
	_, err = s.resolve(t, "a", "")
	wantReason(t, "not created, once the owner is gone", err, "")
}

func TestResolveCopy_NotCreatedAfterTheOwnerMarkedTheDoubt_IsAcceptedAtOnce(t *testing.T) {
	t.Parallel()
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

// Two callers may both find an integration unnamed and settle their doubts with it.
// The second is refused.
func TestResolveCopy_IntegrationThatAnotherRecordGotMeanwhile_IsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.doubt(t, "a")
	s.doubt(t, "b")
	s.upstream.has = append(s.upstream.has, integration(created, template, s.now()))
	s.store.away = func(method string) bool {
		if method == "Named" { // and the other caller right after it
			k, _ := key(t.Context(), copies.CopyTemplate, "b")
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

func TestResolveCopy_IntegrationThatDigaShows_IsRecordedAsDigaSpellsIt(t *testing.T) {
	t.Parallel()
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
		wantReason(t, "malformed id", err, apierror.ReasonInvalidRequest)
	}
	got, err := s.resolve(t, "a", "AAAAAAAA-0000-4000-8000-000000000000")
	if err != nil || got.GetIntegrationId() != "aaaaaaaa-0000-4000-8000-000000000000" || got.GetState() != digatev1.Copy_STATE_DONE {
		t.Errorf("got %v, error %v", got, err)
	}
	s.doubt(t, "b")
	if got := s.candidates(t, "b"); len(got) != 0 {
		t.Errorf("candidates %q, which settled the first doubt", got)
	}
	_, err = s.resolve(t, "b", "aaaaaaaa-0000-4000-8000-000000000000")
	wantReason(t, "an integration that another record names", err, apierror.ReasonNotResolvable)
}

// OwnerGone is exact: until then the copy cannot be settled as not created, and from
// that moment on it can.
func TestResolveCopy_NotCreated_IsAcceptedFromTheMomentTheOwnerIsGone(t *testing.T) {
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

// Without OwnerGone the service would accept a resolution too early, and a second
// copy could follow.
func TestNew_WithoutOwnerGone_IsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, gone := range []time.Duration{0, -1} {
		cfg := s.config()
		cfg.OwnerGone = gone
		if _, err := ledgerservice.New(cfg); err == nil {
			t.Errorf("OwnerGone of %v is accepted", gone)
		}
	}
}
