package crash

import (
	"slices"
	"testing"
	"time"

	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

// A server with an SQLite ledger is killed, and started again with the same file.
func TestCrash_ServerKilledUnderBulkLoad_NothingTwiceNothingLost(t *testing.T) {
	t.Parallel()
	s := newScene(t, "server")
	args := []string{"--ledger", "sqlite:" + s.dir + "/ledger.db"}
	s.serve(t, "a", args...)
	all := job(*items, "server")
	clients := []*client{s.client(all, "a", "client")}
	worked, wait := start(t, clients)
	for range *rounds {
		if !s.sometime(worked) {
			break
		}
		s.kill("a")
		s.serve(t, "a", args...)
	}
	wait()
	if s.kills == 0 {
		t.Fatal("nothing was killed")
	}
	s.conclude(t, "a", all, clients)
	s.wantDoubt(t, all, clients)
}

// Two replicas share a PostgreSQL ledger, and get the same items at once. Now
// one is killed, now the other.
func TestCrash_ReplicaKilledWhileBothCopyTheSameItems_NothingTwiceNothingLost(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t)
	s := newScene(t, "replicas")
	args := []string{"--ledger", database.NewDatabase(), "--ledger-key-file", s.key(t)}
	s.serve(t, "a", args...)
	s.serve(t, "b", args...)
	all := job(*items, "replicas")
	clients := []*client{s.client(all, "a", "one"), s.client(all, "b", "other")}
	worked, wait := start(t, clients)
	for round := range *rounds {
		if !s.sometime(worked) {
			break
		}
		replica := []string{"a", "b"}[round%2]
		s.kill(replica)
		s.serve(t, replica, args...)
	}
	wait()
	if s.kills == 0 {
		t.Fatal("nothing was killed")
	}
	s.conclude(t, "b", all, clients)
	s.wantDoubt(t, all, clients)
}

// PostgreSQL itself crashes under two replicas, and comes back after a while:
// sometimes before they give up what they were asking it, sometimes after.
func TestCrash_PostgreSQLKilledUnderBulkLoad_FailsClosedAndGoesOn(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t, "fsync=on", "full_page_writes=on")
	s := newScene(t, "database")
	args := []string{"--ledger", database.NewDatabase(), "--ledger-key-file", s.key(t)}
	s.serve(t, "a", args...)
	s.serve(t, "b", args...)
	all := job(*items, "database")
	half := len(all) / 2
	clients := []*client{s.client(all[:half], "a", "one"), s.client(all[half:], "b", "other")}
	worked, wait := start(t, clients)
	for round := range *rounds {
		if !s.sometime(worked) {
			break
		}
		database.Kill()
		s.kills++
		down := time.After([]time.Duration{6 * time.Second, between(s.random, 0, 2*time.Second)}[round%2])
		<-down
		database.Restart()
	}
	wait()
	if s.kills == 0 {
		t.Fatal("nothing was killed")
	}
	refused := 0
	for _, c := range clients {
		refused += c.report.reasons(exchange.NotSent)["LEDGER_UNAVAILABLE"]
	}
	if refused == 0 {
		t.Error("nobody was told that the ledger was away")
	}
	// Each client now asks for the other's items too.
	for _, c := range clients {
		c.items = all
	}
	s.conclude(t, "b", all, clients)
}

// Two servers share an SQLite ledger and settle doubts by marks. They are killed in
// turns, before and after they renamed what was made.
func TestCrash_MarkingReplicaKilled_EveryDoubtAboutWhatWasMadeIsSettled(t *testing.T) {
	t.Parallel()
	s := newScene(t, "marks")
	s.marked = true
	args := []string{"--ledger", "sqlite:" + s.dir + "/ledger.db", "--settle-doubts", "mark"}
	s.serve(t, "a", args...)
	s.serve(t, "b", args...)
	all := job(*items, "marks")
	clients := []*client{s.client(all, "a", "one"), s.client(all, "b", "other")}
	worked, wait := start(t, clients)
	for round := range *rounds {
		if !s.sometime(worked) {
			break
		}
		replica := []string{"a", "b"}[round%2]
		s.kill(replica)
		s.serve(t, replica, args...)
	}
	wait()
	if s.kills == 0 {
		t.Fatal("nothing was killed")
	}
	s.conclude(t, "b", all, clients)
	if s.proven == 0 {
		t.Error("no doubt was settled by its mark")
	}
}

// wantDoubt fails if no kill met a copy under way, or no create: such a run proves
// nothing.
func (s *scene) wantDoubt(t *testing.T, all []item, clients []*client) {
	t.Helper()
	copies, creates := byKind(all)
	for what, items := range map[string][]item{"copy": copies, "create": creates} {
		if !slices.ContainsFunc(items, func(it item) bool {
			return slices.ContainsFunc(clients, func(c *client) bool { return c.report.wasInDoubt(it) })
		}) {
			t.Errorf("no %s came to be in doubt", what)
		}
	}
}
