package crash

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
	"github.com/digate/digate/test/rig"
)

// operator runs `digate ledger` on the ledger of a scene, and is killed at it.
type operator struct {
	*scene
	settings ledger.Settings
	random   *rand.Rand
	// took is how long a command takes that nobody kills.
	took time.Duration
	// killed and finished count the commands.
	killed, finished int
}

// command starts a subcommand of `digate ledger`.
func (o *operator) command(t *testing.T, args ...string) (*rig.Process, *strings.Builder) {
	t.Helper()
	path, err := digate()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"ledger"}, append(args, "--ledger", o.settings.Spec)...)
	if o.settings.KeyFile != "" {
		args = append(args, "--ledger-key-file", o.settings.KeyFile)
	}
	cmd, out := exec.Command(path, args...), new(strings.Builder)
	cmd.Env = rig.Environment()
	cmd.Stdout, cmd.Stderr = out, out
	p, err := rig.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p, out
}

// run runs a subcommand to its end and returns its output, or fails the test.
func (o *operator) run(t *testing.T, args ...string) string {
	t.Helper()
	p, out := o.command(t, args...)
	<-p.Ended()
	if code := p.State().ExitCode(); code != exitDone {
		t.Errorf("digate ledger %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out.String()
}

// interrupt runs a subcommand and kills it at it, unless it ends before.
func (o *operator) interrupt(t *testing.T, args ...string) {
	t.Helper()
	p, out := o.command(t, args...)
	select {
	case <-p.Ended():
	case <-time.After(between(o.random, 0, o.took*3/2)):
	}
	o.cut(t, p, out)
}

// cut kills a command, unless it has ended and without a failure.
func (o *operator) cut(t *testing.T, p *rig.Process, out *strings.Builder) {
	t.Helper()
	state := p.State()
	if state == nil {
		p.Kill()
		o.killed++
		return
	}
	o.finished++
	if state.ExitCode() != exitDone {
		t.Errorf("a command ended with exit code %d\n%s", state.ExitCode(), out)
	}
}

// expire puts records into the ledger whose time is over.
func (o *operator) expire(t *testing.T, n int) {
	t.Helper()
	l, err := backend.Open(t.Context(), o.settings)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var all sync.WaitGroup
	next := make(chan struct{}, n)
	for range n {
		next <- struct{}{}
	}
	close(next)
	for range 20 {
		all.Go(func() {
			for range next {
				if _, _, err := l.Claim(t.Context(), ledger.Claim{Key: ledger.NewDigest(), Fingerprint: ledger.NewDigest(), Token: ledger.NewToken(), Lease: time.Millisecond}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// prune prunes and checks the ledger. One prune runs while meanwhile does something, and
// another one is killed at it.
func (o *operator) prune(t *testing.T, meanwhile func()) {
	t.Helper()
	p, out := o.command(t, "prune")
	meanwhile()
	o.cut(t, p, out)
	o.interrupt(t, "prune")
	o.run(t, "check")
	o.expire(t, 2500) // more than are removed at a time
}

// resolve settles as not created what the upstream did not make, in the ledger itself,
// and is killed at it again and again.
func (o *operator) resolve(t *testing.T, all []item) {
	t.Helper()
	made := o.upstream.Made()
	for _, it := range all {
		if len(made[it.name]) > 0 {
			continue
		}
		for {
			var name string
			o.ask(t, "a", func(ctx context.Context, records digatev1.LedgerServiceClient) {
				resp, err := records.GetCopy(ctx, &digatev1.GetCopyRequest{RequestId: it.id, Method: it.method})
				if err == nil && resp.GetCopy().GetState() == digatev1.Copy_STATE_UNKNOWN {
					name = resp.GetCopy().GetRecord()
				}
			})
			if name == "" {
				break
			}
			args := []string{"resolve", "--record", name, "--not-created", "--yes", "--upstream-timeout", "4s", "--max-deadline", "4s", "--bulk-item-timeout", "8s"}
			p, _ := o.command(t, args...)
			select {
			case <-p.Ended(): // refused, perhaps, as long as the owner may be sending
				o.finished++
			case <-time.After(between(o.random, 0, o.took*3/2)):
				p.Kill()
				o.killed++
			}
		}
	}
}

// A ledger is pruned and checked, and doubts are resolved in it, by commands that are
// killed, while servers that use it are killed too. What has expired goes away, and
// nothing else.
func TestCrash_OperatorKilledInUpkeep_NothingTwiceNothingLost(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "upkeep-"+engine)
			o := &operator{scene: s, random: chance(s.name, "operator"), settings: ledger.Settings{Spec: "sqlite:" + s.dir + "/ledger.db"}}
			if engine == "postgres" {
				o.settings = ledger.Settings{Spec: pgtest.Start(t).NewDatabase(), KeyFile: s.key(t)}
			}
			args := []string{"--ledger", o.settings.Spec}
			if o.settings.KeyFile != "" {
				args = append(args, "--ledger-key-file", o.settings.KeyFile)
			}
			s.serve(t, "a", args...)
			o.expire(t, 2500)
			began := time.Now()
			o.run(t, "prune")
			o.took = time.Since(began)
			o.expire(t, 2500)
			all := job(*items, s.name)
			clients := []*client{s.client(all, "a", "client")}
			worked, wait := start(t, clients)
			for range *rounds {
				more := true
				o.prune(t, func() {
					if more = s.sometime(worked); more {
						s.kill("a")
						s.serve(t, "a", args...)
					}
				})
				if !more {
					break
				}
			}
			wait()
			o.resolve(t, all)
			s.repeat(t, clients)
			// In a few rounds, whether a command is still at work when it is killed is luck.
			if s.kills == 0 || o.finished == 0 || o.killed == 0 && *rounds > 2 {
				t.Errorf("%d servers and %d commands were killed, and %d commands ended", s.kills, o.killed, o.finished)
			}
			told := []map[key][]telling{clients[0].report.told}
			for {
				records := s.compare(t, "a", all, told, false)
				if made, notMade := s.settle(t, "a", all, records); made+notMade == 0 || s.violations > 0 {
					break
				}
				s.repeat(t, clients)
			}
			s.compare(t, "a", all, told, true)
			s.end(t)
			o.run(t, "prune")
			if got := o.run(t, "check"); got != "nothing is wrong with the ledger\n" {
				t.Errorf("the check says %s", got)
			}
			var stats struct{ Records, Doubts, Expired int }
			if err := json.Unmarshal([]byte(o.run(t, "stats", "-o", "json")), &stats); err != nil || stats.Records != len(all) || stats.Doubts+stats.Expired > 0 {
				t.Errorf("the ledger has %+v of %d items (%v)", stats, len(all), err)
			}
		})
	}
}
