package copies_test

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger/memory"
)

// A caller that has its share of the ledger gets what it made, makes nothing more, and
// keeps nobody from making something.
func TestCopyTemplate_CallerHasItsShareOfTheLedger_IsRefusedAndOthersAreNot(t *testing.T) {
	t.Parallel()
	up := &fakeUpstream{}
	s := newReplica(t, up, memory.New(memory.Options{MaxRecords: 8}))
	const share = 6
	for n := range share {
		copyAs(t.Context(), s, fmt.Sprint("r", n), "n").want(t, fmt.Sprint("id-", n), "", exchange.None)
	}
	for range 2 {
		r := copyAs(t.Context(), s, "more", "n")
		if r.want(t, "", apierror.ReasonLedgerShareExceeded, exchange.NotSent); r.err.Code != codes.ResourceExhausted || r.err.RetryAfter == nil {
			t.Errorf("%+v", r.err)
		}
	}
	copyAs(t.Context(), s, "r0", "n").want(t, "id-0", "", exchange.None)
	copyAs(as(t.Context(), "another"), s, "more", "n").want(t, fmt.Sprint("id-", share), "", exchange.None)
	if n := len(up.list()); n != share+1 {
		t.Errorf("%d copies", n)
	}
}
