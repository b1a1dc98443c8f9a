package rolling

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger/postgres/pgtest"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// slowCopy is how long every tenth request takes at the upstream, so that some are under
// way whenever a replica is told to stop.
const slowCopy = 300 * time.Millisecond

// replica is a digate at addresses that stay its own.
type replica struct {
	server            *rig.Server
	grpc, rest, admin string
	log               string
	args              []string
}

func (r *replica) start(t *testing.T) {
	t.Helper()
	path, err := rig.Digate()
	if err != nil {
		t.Fatal(err)
	}
	if r.server, err = rig.Serve(path, r.log, r.args...); err != nil {
		t.Fatal(err)
	}
}

// newReplica starts a replica.
func newReplica(t *testing.T, name string, args ...string) *replica {
	t.Helper()
	r := &replica{grpc: rig.FreeAddr(t), rest: rig.FreeAddr(t), admin: rig.FreeAddr(t), log: filepath.Join(t.TempDir(), name+".log")}
	of := *delay
	if of == 0 {
		of = time.Hour
	}
	r.args = append([]string{"--grpc-addr", r.grpc, "--http-addr", r.rest, "--admin-addr", r.admin, "--drain-delay", of.String()}, args...)
	r.start(t)
	t.Cleanup(func() {
		r.server.Kill()
		log, err := os.ReadFile(r.log)
		if err != nil {
			t.Error(err)
		}
		for _, bad := range []string{"DATA RACE", "panic"} {
			if strings.Contains(string(log), bad) {
				t.Errorf("%s: %s", name, log)
			}
		}
	})
	return r
}

// stop stops the replica as its operator does. Without a delay of its own, the delay
// ends when what it is for has been reached.
func (r *replica) stop(t *testing.T, reached func()) {
	t.Helper()
	if *delay == 0 {
		if err := r.server.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		reached()
	}
	if err := r.server.Stop(); err != nil {
		t.Error(err)
	}
}

func newUpstream(t *testing.T) *rig.Upstream {
	t.Helper()
	up, err := rig.NewUpstream(func(rig.Request) rig.Behaviour {
		if rand.IntN(10) == 0 {
			return rig.Behaviour{Before: slowCopy / 2, After: slowCopy / 2}
		}
		return rig.Behaviour{Before: 2 * time.Millisecond}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := up.Close(); err != nil {
			t.Error(err)
		}
	})
	return up
}

func TestRolling_ReplicasRestartedUnderLoad_NoCallFailsAndNothingIsMadeTwice(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t)
	up := newUpstream(t)
	key := filepath.Join(t.TempDir(), "ledger.key")
	if err := os.WriteFile(key, []byte(hex.EncodeToString(make([]byte, 32))+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--upstream-url", up.URL(), "--ledger", database.NewDatabase(), "--ledger-key-file", key}
	replicas := []*replica{newReplica(t, "a", args...), newReplica(t, "b", args...)}
	var ofGRPC, ofREST []*backend
	for _, r := range replicas {
		ofGRPC = append(ofGRPC, &backend{addr: r.grpc, admin: r.admin})
		ofREST = append(ofREST, &backend{addr: r.rest, admin: r.admin})
	}
	grpc, rest := newBalancer(t, ofGRPC...), newBalancer(t, ofREST...)
	know := func(r *replica, ready bool) {
		grpc.await(t, r.admin, ready)
		rest.await(t, r.admin, ready)
	}
	for _, r := range replicas {
		know(r, true)
	}

	ctx, cancel := context.WithCancel(t.Context())
	tally := newTally()
	var load sync.WaitGroup
	for _, c := range clients(t, grpc.addr(), rest.addr(), tally) {
		for worker := range c.workers {
			load.Go(func() { c.run(ctx, worker) })
		}
	}
	defer func() { cancel(); load.Wait() }()
	tally.awaitRequests(t, 1)
	for range *rounds {
		for _, r := range replicas {
			r.stop(t, func() {
				know(r, false)
				tally.awaitRequests(t, 2)
			})
			r.start(t)
			know(r, true)
		}
	}
	tally.awaitRequests(t, 1)
	cancel()
	load.Wait()
	tally.judge(t, up.Made())
	for _, r := range replicas {
		r.stop(t, func() { know(r, false) })
	}
}

// tally counts how calls ended, by client.
type tally struct {
	mu   sync.Mutex
	ends map[string]map[string]int
	made map[string]string // the ids that clients were told, by name
	// requests are those that each worker has ended.
	requests map[string]int
}

func newTally() *tally {
	return &tally{ends: make(map[string]map[string]int), made: make(map[string]string), requests: make(map[string]int)}
}

// worked names a worker of a client.
func worked(client string, worker int) string { return fmt.Sprintf("%s-%d", client, worker) }

// request counts a request of a worker, however many copies it was for.
func (y *tally) request(c *caller) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.requests[worked(c.client, c.worker)]++
}

// awaitRequests returns once every worker has ended n more requests. Of two of them, the
// second one began since, so that a client over HTTP/1.1 was told of the end of its
// connection.
func (y *tally) awaitRequests(t *testing.T, n int) {
	t.Helper()
	y.mu.Lock()
	before := maps.Clone(y.requests)
	y.mu.Unlock()
	if err := await.Poll(await.Patience, nil, func() error {
		y.mu.Lock()
		defer y.mu.Unlock()
		for worker, ended := range before {
			if y.requests[worker] < ended+n {
				return fmt.Errorf("%s has ended %d of %d requests", worker, y.requests[worker]-ended, n)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// done is how calls end that succeed.
const done = "done"

// end counts a call. For one that made something, it has the name and the id.
func (y *tally) end(client, how, name, id string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.ends[client] == nil {
		y.ends[client] = make(map[string]int)
	}
	y.ends[client][how]++
	if how == done && name != "" {
		y.made[name] = id
	}
}

// judge fails the test for every call that failed, and for what was made twice, not at
// all, or otherwise than a client was told. A failure that a client expects and repeats
// begins with "again".
func (y *tally) judge(t *testing.T, made map[string][]string) {
	t.Helper()
	for client, ends := range y.ends {
		t.Logf("%s: %v", client, ends)
		if ends[done] == 0 {
			t.Errorf("%s: no call is done", client)
		}
		for how, n := range ends {
			if how != done && !strings.HasPrefix(how, "again") {
				t.Errorf("%s: %d × %s", client, n, how)
			}
		}
	}
	for name, id := range y.made {
		if !slices.Equal(made[name], []string{id}) {
			t.Errorf("%s: a client was told %s, and made was %v", name, id, made[name])
		}
	}
	for name, ids := range made {
		if len(ids) > 1 {
			t.Errorf("%s was made %d times", name, len(ids))
		}
		if y.made[name] == "" {
			t.Errorf("%s was made, and no client was told", name)
		}
	}
}
