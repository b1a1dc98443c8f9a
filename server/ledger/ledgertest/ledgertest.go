// Package ledgertest tests the contract of [ledger.Store] for every store.
package ledgertest

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server/ledger"
)

// Lease is the lease of the claims in the suite. It is far longer than a test
// takes, so that only Harness.Advance lets one run out.
const Lease = 10 * time.Minute

// Harness lets the suite handle a store, which has no records at first.
type Harness struct {
	// Open returns a handle on the data. If the store can be shared, each is a new
	// one, as that of another replica. The harness closes it.
	Open func(t testing.TB) ledger.Store
	// Retention is how long the handles keep settled records.
	Retention time.Duration
	// Advance lets that much time pass for the data, once no call is under way.
	Advance func(t testing.TB, d time.Duration)
	// Break makes the data unreachable for writers, and Mend ends that. Both are nil
	// for a store that is never without its data.
	Break, Mend func(t testing.TB)
}

// test is a test of the suite.
type test struct {
	name string
	run  func(*testing.T, Harness)
}

// ofCalls are the tests of what a store does with the records of calls.
var ofCalls = []test{
	{"Claim_SameTokenAgain_IsMine", testClaimAgain},
	{"EveryState_EveryOperation_MovesOrIsRefused", testTransitions},
	{"EveryState_ForeignToken_IsRefused", testForeignToken},
	{"Claim_TwoHandlesManyGoroutines_OneWins", testOneWins},
	{"Claim_ManyGoroutinesAfterLease_OneTakesOver", testOneTakesOver},
	{"Resolve_IntegrationOfAnotherRecord_IsRefused", testNamedByAnother},
	{"Resolve_ManyToOneIntegration_OneNamesIt", testOneNames},
	{"Life_ManyKeysTwoHandles_AllAreDone", testManyLives},
	{"Crash_AtEveryPoint_SettlesAfterLease", testCrash},
	{"Renew_KeepsClaimAlive", testRenew},
	{"Lapse_RecordInDoubt_TellsForHowLong", testLapsedFor},
	{"MarkDone_SlowOwner_IsRecordedUnlessKeyWasTaken", testSlowOwner},
	{"Retention_SettledRecord_IsGone", testRetention},
	{"Lease_AndRetention_EndWhenTheyShould", testLeaseBoundary},
	{"Named_OnlyDoneAndLiveRecordsCount", testNamed},
	{"KeepAnyID_OddAndLongIDs_AreKeptOrRecognized", testAnyID},
	{"Arguments_OutOfBounds_AreRefused", testBounds},
	{"Context_Ended_ChangesNothing", testEndedContext},
}

// ofStores are the tests of a store as a whole.
var ofStores = []test{
	{"Claim_FreeKey_ReturnsRecord", testClaimReturnsRecord},
	{"Sweep_Limit_RemovesInBatches", testSweepLimit},
	{"Sweep_LapsedLeases_SettlesThem", testSweepSettles},
	{"Sweep_LateAfterLease_DoesNotExtendRetention", testSweepKeepsRetention},
	{"List_Query_ReturnsLatestFirst", testList},
	{"Stats_CountByState_AndAgeOfOldestDoubt", testStats},
	{"KeyCheck_OtherKey_IsErrKey", testKeyCheck},
	{"HasKey_OtherKeyOrNone_IsErrKey", testHasKey},
	{"Outage_CallsFailInTime_AndWorkAgain", testOutage},
	{"Outage_UnderLoad_LosesNothingAcknowledged", testOutageUnderLoad},
}

// Run runs the suite, each test on a harness of its own.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	run(t, newHarness, ofStores)
	RunCalls(t, newHarness)
}

// RunCalls runs the part of the suite that is about the records of calls. What keeps
// more than a record of a call passes it, too.
func RunCalls(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	run(t, newHarness, ofCalls)
}

func run(t *testing.T, newHarness func(t *testing.T) Harness, tests []test) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, newHarness(t)) })
	}
}

// Opened returns a store that was opened, and closes it when the test ends.
func Opened[S ledger.Store](t testing.TB, s S, err error) S {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// OpenAtOnce opens many handles on new data at the same time, as replicas that start
// together do.
func OpenAtOnce[S ledger.Store](t *testing.T, open func() (S, error)) {
	t.Helper()
	check := digest()
	var group errgroup.Group
	for range 10 {
		group.Go(func() error {
			s, err := open()
			if err != nil {
				return err
			}
			return errors.Join(s.KeyCheck(t.Context(), check), s.Close())
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// digest returns a random digest: a key or fingerprint of its own.
func digest() (d ledger.Digest) {
	_, _ = rand.Read(d[:])
	return d
}

// newClaim returns a claim of a new key.
func newClaim() ledger.Claim {
	return ledger.Claim{Key: digest(), Fingerprint: digest(), ParentID: "template-1", Token: ledger.NewToken(), Lease: Lease}
}

// again returns another claim of the same key.
func again(c ledger.Claim) ledger.Claim {
	c.Token = ledger.NewToken()
	return c
}

// claim makes the claim, which must succeed.
func claim(t testing.TB, s ledger.Store, c ledger.Claim) ledger.Record {
	t.Helper()
	r, mine, err := s.Claim(t.Context(), c)
	if err != nil || !mine {
		t.Fatalf("Claim: mine %v, error %v; want mine", mine, err)
	}
	return r
}

// must fails the test on an error.
func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// none is the state of a key without a record.
const none = ledger.State(0)

// stateOf returns the state of the key's record.
func stateOf(t testing.TB, s ledger.Store, key ledger.Digest) ledger.State {
	t.Helper()
	r, found, err := s.Get(t.Context(), key)
	must(t, "Get", err)
	if !found {
		return none
	}
	return r.State
}

// within returns a context that ends before the test's own timeout.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
