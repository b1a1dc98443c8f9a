package ledgerservice_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/ledger"
)

// A caller who is about to settle a doubt sees candidates beyond the first page.
func TestGetCopy_CandidateOnALaterPage_IsListed(t *testing.T) {
	t.Parallel()
	for _, before := range []int{100, 999} {
		s := newScene(t)
		s.doubt(t, "a")
		for i := range before {
			s.upstream.has = append(s.upstream.has, integration(fmt.Sprint("other-", i), another, s.now().Add(time.Second)))
		}
		s.upstream.has = append(s.upstream.has, integration(created, template, s.now()))
		if got := s.candidates(t, "a"); !slices.Equal(got, []string{created}) {
			t.Errorf("behind %d others: got %q", before, got)
		}
	}
}

func TestGetCopy_EveryState_IsReturnedWithItsRecord(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	k, _ := key(t.Context(), copies.CopyTemplate, "a")
	look := func(want digatev1.Copy_State) *digatev1.Copy {
		t.Helper()
		got, err := s.GetCopy(t.Context(), &digatev1.GetCopyRequest{RequestId: "a"})
		c := got.GetCopy()
		if err != nil || c.GetState() != want || c.GetRequestId() != "a" || c.GetTemplateId() != template || !c.GetClaimTime().AsTime().Equal(s.now()) {
			t.Errorf("got %v, error %v; want %v", got, err, want)
		}
		if c.GetRecord() != k.RecordName() {
			t.Errorf("the record is %q, want %q", c.GetRecord(), k.RecordName())
		}
		return c
	}
	claim := ledger.Claim{Key: k, ParentID: template, Token: ledger.NewToken(), Lease: lease}
	if _, _, err := s.store.Claim(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	look(digatev1.Copy_STATE_CLAIMED)
	if err := s.store.MarkSending(t.Context(), k, claim.Token, lease); err != nil {
		t.Fatal(err)
	}
	look(digatev1.Copy_STATE_SENDING)
	if err := s.store.MarkUnknown(t.Context(), k, claim.Token); err != nil {
		t.Fatal(err)
	}
	look(digatev1.Copy_STATE_UNKNOWN)
	if err := s.store.MarkDone(t.Context(), k, claim.Token, created); err != nil {
		t.Fatal(err)
	}
	if got := look(digatev1.Copy_STATE_DONE).GetIntegrationId(); got != created {
		t.Errorf("the integration is %q", got)
	}
	_, err := s.GetCopy(t.Context(), &digatev1.GetCopyRequest{RequestId: "never"})
	wantReason(t, "no record", apierror.FromError(err), apierror.ReasonNoRecord)
}

func TestGetLedger_ReturnsTheFactsOfItsConfiguration(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{false, true} {
		s := newScene(t)
		cfg := s.config()
		cfg.Store, cfg.Durable, cfg.Retention = "postgres", durable, 3*time.Hour
		got, err := serve(t, cfg).GetLedger(context.Background(), &digatev1.GetLedgerRequest{})
		if err != nil || got.GetStore() != "postgres" || got.GetDurable() != durable || got.GetRetention().AsDuration() != 3*time.Hour || got.GetCaller() != "caller" {
			t.Errorf("got %v, error %v", got, err)
		}
	}
}
