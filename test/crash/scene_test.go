package crash

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// scene is one upstream, one ledger, and the digates between.
type scene struct {
	name     string
	dir      string
	upstream *rig.Upstream
	random   *rand.Rand
	kills    int
	// marked means that the replicas settle doubts by marks, and proven is how many
	// doubts their logs say they settled so.
	marked bool
	proven int
	// violations is how many were found so far.
	violations int

	mu       sync.Mutex
	replicas map[string]*rig.Server
}

func newScene(t *testing.T, name string) *scene {
	t.Helper()
	if _, err := digate(); err != nil {
		t.Fatal(err)
	}
	upstream, err := rig.NewUpstream(script(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := upstream.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &scene{name: name, dir: t.TempDir(), upstream: upstream, random: chance(name, "kills"), replicas: make(map[string]*rig.Server)}
	t.Cleanup(func() {
		for _, replica := range s.replicas {
			replica.Kill()
		}
		if t.Failed() {
			t.Logf("-crash.seed %d", *seed)
		}
	})
	return s
}

func (s *scene) logFile(replica string) string {
	dir := s.dir
	if *logs != "" {
		dir = *logs
	}
	return filepath.Join(dir, s.name+"-"+replica+".log")
}

// key makes a ledger key file.
func (s *scene) key(t *testing.T) string {
	t.Helper()
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(s.random.Uint32())
	}
	path := filepath.Join(s.dir, "ledger.key")
	if err := os.WriteFile(path, []byte(hex.EncodeToString(b)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts a replica, or starts it again.
func (s *scene) serve(t *testing.T, replica string, args ...string) {
	t.Helper()
	path, err := digate()
	if err != nil {
		t.Fatal(err)
	}
	server, err := rig.Serve(path, s.logFile(replica), append([]string{
		"--upstream-url", s.upstream.URL(), "--upstream-breaker-delay", "0s", "--upstream-max-in-flight", "200",
		"--bulk-concurrency", "2000", "--upstream-timeout", "4s", "--max-deadline", "4s", "--bulk-item-timeout", "8s",
	}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.replicas[replica] = server
	s.mu.Unlock()
}

func (s *scene) replica(name string) *rig.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replicas[name]
}

// addr returns a function that returns the replica's present address.
func (s *scene) addr(replica string) func() string {
	return func() string { return s.replica(replica).GRPC }
}

// kill ends a replica at once.
func (s *scene) kill(replica string) {
	s.kills++
	s.replica(replica).Kill()
}

// sometime waits until a random part of a round's share of the items has been asked
// for, and then a little. It returns false if the work is done before.
func (s *scene) sometime(worked <-chan struct{}) bool {
	share := *items / (*rounds + 1)
	select {
	case <-s.upstream.Reached(s.upstream.Asked() + share/4 + s.random.IntN(max(share*3/4, 1))):
	case <-worked:
		return false
	}
	timer := time.NewTimer(between(s.random, 0, 30*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-worked:
		return false
	}
}

// client returns a client that has the items created through the replica.
func (s *scene) client(all []item, replica, name string) *client {
	return &client{items: all, addr: s.addr(replica), report: newReport(all), order: chance(s.name, name)}
}

// patience returns how long one part of a scene may take.
func patience() time.Duration {
	return time.Minute + time.Duration(*rounds)*20*time.Second + time.Duration(*items)*100*time.Millisecond
}

// start starts the clients. The channel is closed when all of them are done. wait
// waits for that, and fails the test if one of them failed.
func start(t *testing.T, clients []*client) (worked <-chan struct{}, wait func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience())
	done := make(chan struct{})
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			if err := c.finish(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	go func() {
		defer close(done)
		wg.Wait()
	}()
	t.Cleanup(func() { cancel(); <-done })
	return done, func() {
		t.Helper()
		<-done
		if t.Failed() {
			t.FailNow()
		}
	}
}

// again makes every client ask for every item once more, until all are done.
func again(t *testing.T, clients []*client) {
	t.Helper()
	for _, c := range clients {
		c.report.reopen(c.items)
	}
	_, wait := start(t, clients)
	wait()
}

// repeat makes every client ask for every item once more. If doubts are settled by
// marks, all that Diga makes is made then, and every client asks twice: a request that
// renames an integration may fail once.
func (s *scene) repeat(t *testing.T, clients []*client) {
	t.Helper()
	again(t, clients)
	if !s.marked {
		return
	}
	for range 2 {
		if err := await.Poll(patience(), nil, func() error {
			if n := s.upstream.UnderWay(); n > 0 {
				return fmt.Errorf("%d requests are under way at the upstream", n)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		again(t, clients)
	}
}

// ask calls the LedgerService of a replica.
func (s *scene) ask(t *testing.T, replica string, call func(context.Context, digatev1.LedgerServiceClient)) {
	t.Helper()
	conn, err := dial(s.addr(replica)())
	if err != nil {
		t.Fatal(err)
	}
	defer func(conn *grpc.ClientConn) { _ = conn.Close() }(conn)
	ctx, cancel := context.WithTimeout(withToken(t.Context()), patience())
	defer cancel()
	call(ctx, digatev1.NewLedgerServiceClient(conn))
}

// records reads the record of every item.
func (s *scene) records(t *testing.T, replica string, all []item) map[key]record {
	t.Helper()
	records := make(map[key]record, len(all))
	s.ask(t, replica, func(ctx context.Context, ledger digatev1.LedgerServiceClient) {
		for _, it := range all {
			resp, err := ledger.GetCopy(ctx, &digatev1.GetCopyRequest{RequestId: it.id, Method: it.method})
			if status.Code(err) == codes.NotFound {
				continue
			}
			if err != nil {
				t.Fatalf("GetCopy(%s, %v): %v", it.id, it.method, err)
			}
			got := resp.GetCopy()
			// One of the two ids is empty, here and in a candidate.
			r := record{state: got.GetState(), created: got.GetIntegrationId() + got.GetToolId(), candidates: make(map[string]string)}
			for _, c := range got.GetCandidates() {
				r.candidates[c.GetIntegrationId()+c.GetToolId()] = c.GetName()
			}
			records[it.key()] = r
		}
	})
	return records
}

// settle resolves every doubt to the candidate that has the item's name, or else to
// nothing.
func (s *scene) settle(t *testing.T, replica string, all []item, records map[key]record) (made, notMade int) {
	t.Helper()
	s.ask(t, replica, func(ctx context.Context, ledger digatev1.LedgerServiceClient) {
		for _, it := range all {
			r := records[it.key()]
			if r.state != digatev1.Copy_STATE_UNKNOWN {
				continue
			}
			req := &digatev1.ResolveCopyRequest{
				RequestId: it.id, Method: it.method, Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true},
			}
			for id, name := range r.candidates {
				switch {
				case name != it.name:
				case it.method == digatev1.Method_METHOD_CREATE_TOOL:
					req.Resolution = &digatev1.ResolveCopyRequest_ToolId{ToolId: id}
				default:
					req.Resolution = &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: id}
				}
			}
			if err := resolve(ctx, ledger, req); err != nil {
				t.Errorf("ResolveCopy(%s, %v): %v", it.id, it.method, err)
			}
			if req.GetNotCreated() {
				notMade++
			} else {
				made++
			}
		}
	})
	return made, notMade
}

// resolve resolves a doubt. digate takes "not created" only once a killed server could
// no longer be sending.
func resolve(ctx context.Context, ledger digatev1.LedgerServiceClient, req *digatev1.ResolveCopyRequest) error {
	var err error
	_ = await.Poll(patience(), ctx.Done(), func() error {
		_, err = ledger.ResolveCopy(ctx, req)
		if status.Code(err) != codes.FailedPrecondition || !req.GetNotCreated() {
			return nil
		}
		return err
	})
	return err
}

// wasInDoubt reports whether the client was told of a doubt about the item.
func (r *report) wasInDoubt(it item) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.told[it.key()], func(t telling) bool { return t.settled() && t.created == "" })
}

// compare judges the scene so far, and returns the ledger's records.
func (s *scene) compare(t *testing.T, replica string, all []item, told []map[key][]telling, settled bool) map[key]record {
	t.Helper()
	o := outcome{items: all, made: s.upstream.Made(), records: s.records(t, replica, all), told: told, marked: s.marked}
	violations := o.judge(settled)
	s.violations += len(violations)
	for _, v := range violations[:min(len(violations), 20)] {
		t.Error(v)
	}
	return o.records
}

// conclude compares, settles every doubt and lets the clients finish, until no doubt
// is left.
func (s *scene) conclude(t *testing.T, replica string, all []item, clients []*client) {
	t.Helper()
	told := make([]map[key][]telling, len(clients))
	for i, c := range clients {
		told[i] = c.report.told
	}
	s.repeat(t, clients) // the last response must be the final one
	made, notMade := 0, 0
	// What is sent again, because it was not made, can be in doubt again.
	for s.violations == 0 {
		records := s.compare(t, replica, all, told, false)
		m, n := s.settle(t, replica, all, records)
		if m+n == 0 {
			break
		}
		made, notMade = made+m, notMade+n
		s.repeat(t, clients)
	}
	s.compare(t, replica, all, told, true)
	s.end(t)
	s.row(all, made, notMade)
}

// end stops the replicas, and fails on a panic or a data race in their logs.
func (s *scene) end(t *testing.T) {
	t.Helper()
	for name, replica := range s.replicas {
		if err := replica.Stop(); err != nil {
			t.Error(err)
		}
		log, err := os.ReadFile(s.logFile(name))
		if err != nil {
			t.Fatal(err)
		}
		s.proven += bytes.Count(log, []byte("settled by its mark"))
		for line := range bytes.Lines(log) {
			// A kill can cut a line short. The next line is then appended to it.
			if !json.Valid(line) && (bytes.Contains(line, []byte("panic")) || bytes.Contains(line, []byte("DATA RACE"))) {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

// row prints the scene's line of the table.
func (s *scene) row(all []item, made, notMade int) {
	n := s.upstream.Count()
	rig.Row("`"+s.name+"`", len(all), s.kills, s.upstream.Asked(), n[rig.Copy], n[rig.Integration], n[rig.Tool], s.proven, made, notMade, s.violations)
}
