package postgres_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
	"github.com/digate/digate/test/await"
)

// claimOf returns a claim of the key of that number.
func claimOf(n byte) ledger.Claim {
	return ledger.Claim{Key: ledger.Digest{n}, ParentID: "t", Token: ledger.NewToken(), Lease: time.Minute}
}

// The rival's record does not exist when the claim looks, and does when it writes.
func TestClaim_RivalCommitsMeanwhile_SeesTheRival(t *testing.T) {
	server := pgtest.Start(t)
	s := open(t, server.URL())
	conn := connect(t, server.URL())
	rival, mine := claimOf(1), claimOf(1)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `INSERT INTO digate_ledger_record (key, fingerprint, template_id, state, token, claimed_at, until)
		VALUES ($1, $1, 't', 'claimed', $2, now(), now() + interval '1 hour')`, rival.Key[:], rival.Token[:]); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		r, won, err := s.Claim(t.Context(), mine)
		if err != nil || won || r.Token != rival.Token {
			t.Errorf("won %v, token %x, error %v; want the rival's", won, r.Token, err)
		}
	})
	watch := connect(t, server.URL())
	if err := await.Poll(await.Patience, nil, func() error {
		var waiting int
		err := watch.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`).Scan(&waiting)
		if err == nil && waiting == 0 {
			err = errors.New("the claim does not wait for the rival")
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	group.Wait()
}

// All connections of a pool are dead after a restart. No call fails that may be
// repeated.
func TestStore_DatabaseWasRestarted_NextCallsWork(t *testing.T) {
	server := pgtest.Start(t)
	s := open(t, server.URL()+"&pool_max_conns=16")
	claimed, sending := claimOf(1), claimOf(2)
	for _, c := range []ledger.Claim{claimed, sending} {
		if _, mine, err := s.Claim(t.Context(), c); err != nil || !mine {
			t.Fatal(mine, err)
		}
	}
	if err := s.MarkSending(t.Context(), sending.Key, sending.Token, time.Minute); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Claim":    func() error { _, _, err := s.Claim(t.Context(), claimOf(3)); return err },
		"Get":      func() error { _, _, err := s.Get(t.Context(), claimed.Key); return err },
		"Renew":    func() error { return s.Renew(t.Context(), claimed.Key, claimed.Token, time.Minute) },
		"MarkDone": func() error { return s.MarkDone(t.Context(), sending.Key, sending.Token, "made") },
	} {
		fill(t, s)
		server.Kill()
		server.Restart()
		if err := call(); err != nil {
			t.Errorf("%s after a restart: %v", name, err)
		}
	}
}

// The sessions of a server that became a replica stay with it and cannot write;
// new ones are with the new primary.
func TestStore_DatabaseWasDemoted_NextCallsUseNewSessions(t *testing.T) {
	server := pgtest.Start(t)
	url := server.NewDatabase()
	s := open(t, url+"&pool_max_conns=8")
	claimed, sending, doubted := claimOf(1), claimOf(2), claimOf(3)
	for _, c := range []ledger.Claim{claimed, sending, doubted} {
		if _, mine, err := s.Claim(t.Context(), c); err != nil || !mine {
			t.Fatal(mine, err)
		}
	}
	for _, c := range []ledger.Claim{sending, doubted} {
		if err := s.MarkSending(t.Context(), c.Key, c.Token, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.MarkUnknown(t.Context(), doubted.Key, doubted.Token); err != nil {
		t.Fatal(err)
	}
	demote := func(onOff string) {
		server.Exec(server.URL(), "ALTER DATABASE "+url[strings.LastIndex(url, "/")+1:strings.Index(url, "?")]+" SET default_transaction_read_only = "+onOff)
	}
	for name, call := range map[string]func() error{
		"Claim":       func() error { _, _, err := s.Claim(t.Context(), claimOf(4)); return err },
		"MarkSending": func() error { return s.MarkSending(t.Context(), claimed.Key, claimed.Token, time.Minute) },
		"MarkDone":    func() error { return s.MarkDone(t.Context(), sending.Key, sending.Token, "made") },
		"Resolve":     func() error { return s.Resolve(t.Context(), doubted.Key, doubted.Token, "made by another") },
		"Sweep":       func() error { _, err := s.Sweep(t.Context(), 10); return err },
	} {
		demote("on")
		server.Exec(server.URL(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'")
		fill(t, s)
		if _, _, err := s.Claim(t.Context(), claimOf(5)); err == nil {
			t.Fatal("the database can be written, and proves nothing")
		}
		fill(t, s)
		demote("off")
		if err := call(); err != nil {
			t.Errorf("%s once there is a primary: %v", name, err)
		}
	}
}

// fill makes the pool open as many connections as it may.
func fill(t *testing.T, s ledger.Store) {
	t.Helper()
	var group errgroup.Group
	for i := range 200 {
		group.Go(func() error {
			_, found, err := s.Get(t.Context(), ledger.Digest{100, byte(i)})
			if found {
				err = errors.Join(err, errors.New("a record that nobody made"))
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
