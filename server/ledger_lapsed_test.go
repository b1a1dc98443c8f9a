package server_test

import (
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"google.golang.org/grpc/status"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/sqlite"
)

// The request of a server that died while sending may still arrive at Diga for as
// long as a call may take. Until then the copy cannot be settled as not created,
// since the next call with the id would copy again.
func TestResolveCopy_OwnerDiedWhileSending_IsSettledAsNotCreatedOnlyAfterTheLongestCall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	keys, err := sqlite.Key(path)
	if err != nil {
		t.Fatal(err)
	}
	// The owner's lease ended a second ago.
	store, err := sqlite.Open(t.Context(), path, sqlite.Options{Now: func() time.Time { return time.Now().Add(-2 * time.Second) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.KeyCheck(t.Context(), keys.Check()); err != nil {
		t.Fatal(err)
	}
	key := keys.Key(keys.Caller(token), "", "left")
	claim := ledger.Claim{Key: key, ParentID: templateID, Token: ledger.Token{1}, Lease: time.Second}
	if _, mine, err := store.Claim(t.Context(), claim); err != nil || !mine {
		t.Fatal(mine, err)
	}
	if err := store.MarkSending(t.Context(), key, claim.Token, claim.Lease); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	var longest time.Duration
	d := start(t, "http://127.0.0.1:1", func(c *config.Config) {
		c.Ledger.Spec = "sqlite:" + path
		longest = c.LongestCall()
	})
	now := time.Now()
	_, err = digatev1.NewLedgerServiceClient(d.conn).ResolveCopy(withToken(t.Context(), token), &digatev1.ResolveCopyRequest{
		RequestId: "left", Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true},
	})
	from, parseErr := time.Parse(time.RFC3339, regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:]+Z`).FindString(status.Convert(err).Message()))
	if parseErr != nil {
		t.Fatalf("got %v", err)
	}
	// A lease is 15 s, and the text is rounded to seconds.
	if wait := from.Sub(now); wait < longest || wait > longest+20*time.Second {
		t.Errorf("it can be settled after %v; the longest call takes %v", wait, longest)
	}
}
