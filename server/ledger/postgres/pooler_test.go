package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/ledgertest"
	"github.com/digate/digate/server/ledger/postgres"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

// A pooler in transaction mode gives each transaction any connection that is free.
func TestStore_ContractThroughPgBouncer(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	through := server.Pool("transaction")
	ledgertest.Run(t, func(t *testing.T) ledgertest.Harness {
		url := server.NewDatabase()
		return ledgertest.Harness{
			Open:      func(t testing.TB) ledger.Store { return open(t, through(url)) },
			Retention: time.Hour,
			Advance:   advance(server, url),
			Break:     func(testing.TB) { server.Kill() },
			Mend:      func(testing.TB) { server.Restart() },
		}
	})
}

func TestOpen_ThroughPgBouncerInEveryMode_LivesOfManyKeysEnd(t *testing.T) {
	server := pgtest.Start(t)
	for _, mode := range []string{"session", "transaction", "statement"} {
		through := server.Pool(mode)
		s, err := postgres.Open(t.Context(), through(server.NewDatabase()), postgres.Options{Retention: time.Hour})
		if mode == "statement" {
			if err == nil {
				_ = s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "pool_mode") {
				t.Errorf("%s: %v; want an error that names the setting to change", mode, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		if err := manyLives(t, s, 200); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStore_DatabaseIsSerializable_NoCallFails(t *testing.T) {
	server := pgtest.Start(t, "default_transaction_isolation=serializable")
	if err := manyLives(t, open(t, server.URL()), 600); err != nil {
		t.Error(err)
	}
}

// manyLives claims, sends and ends n records, 32 at a time.
func manyLives(t *testing.T, s *postgres.Store, n int) error {
	var group errgroup.Group
	group.SetLimit(32)
	for i := range n {
		group.Go(func() error {
			c := ledger.Claim{Key: ledger.Digest{byte(i), byte(i >> 8), 1}, ParentID: "t", Token: ledger.NewToken(), Lease: time.Minute}
			_, mine, err := s.Claim(t.Context(), c)
			if err == nil && !mine {
				err = errors.New("a free key is another's")
			}
			return errors.Join(err, s.MarkSending(t.Context(), c.Key, c.Token, c.Lease),
				s.MarkDone(t.Context(), c.Key, c.Token, fmt.Sprint("integration-", i)))
		})
	}
	return group.Wait()
}
