package abuse

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/digate/digate/test/rig"
)

var whole = flag.Bool("abuse.whole", false, "run the attacks with as many connections and for as long as the table of docs/abuse.md takes")

func TestMain(m *testing.M) { rig.Main(m, 0) }

// resultHead is the head of the table in docs/abuse.md.
const resultHead = "| attack | server | done | RSS before | peak | after | p99 alone | p99 attacked | failed | log lines |\n" +
	"|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"

// restHead is the head of the table of attacks on the REST listener.
const restHead = "| attack | done | RSS before | peak | after | p99 alone | p99 attacked | failed | log lines |\n" +
	"|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"

// tlsHead is the head of the table of attacks over TLS.
const tlsHead = "| attack over TLS | done | RSS before | peak | after | p99 alone | p99 attacked | failed | log lines |\n" +
	"|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"

// TestAbuse runs each attack on a digate and on a bare server, each in a new process.
// In the short form attacks run beside each other, and the bare server meets only
// one.
func TestAbuse(t *testing.T) {
	begin(t, resultHead)
	for i, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			besides(t)
			judge := func(name string, start func(*testing.T) *target) {
				t.Run(name, func(t *testing.T) {
					s := start(t)
					a.judge(t, name, s, s.GRPC, newOthers(t, s, knownToken))
				})
			}
			judge("digate", startDigate)
			if *whole || i == 0 {
				judge("grpc-go", startBare)
			}
		})
	}
}

// TestAbuse_REST runs each attack on the REST listener of a digate.
func TestAbuse_REST(t *testing.T) {
	begin(t, restHead)
	for _, a := range restAttacks {
		t.Run(a.name, func(t *testing.T) {
			besides(t)
			s := startDigate(t)
			a.judge(t, "", s, s.REST, newRESTOthers(t, s))
		})
	}
}

// TestAbuse_OverTLS runs the attacks on both listeners of a digate that speaks TLS.
func TestAbuse_OverTLS(t *testing.T) {
	if !*whole {
		t.Skip("in a second over TLS an attack may do nothing on a busy machine: make abuse")
	}
	begin(t, tlsHead)
	for i, a := range slices.Concat(attacks, restAttacks) {
		t.Run(a.name, func(t *testing.T) {
			besides(t)
			s := startSecured(t)
			if i < len(attacks) {
				a.judge(t, "", s, s.GRPC, newOthers(t, s, knownToken))
			} else {
				a.judge(t, "", s, s.REST, newRESTOthers(t, s))
			}
		})
	}
}

// begin prints the head of a table, once what the attacks send is made, which takes a
// while.
func begin(t *testing.T, head string) {
	t.Helper()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skipf("what a process needs is read from /proc: %v", err)
	}
	allBombs()
	gzipBomb()
	fmt.Print(head)
}

// besides has the attacks of the short form run beside each other.
func besides(t *testing.T) {
	t.Helper()
	if !*whole {
		t.Parallel()
	}
}

// judge runs the attack on an address of a server and prints its row, with the server's
// name if it has one. Unless the server is the bare one, no call of others may fail, the
// memory of digate's container must suffice, and what the attack took must be given back.
func (a attack) judge(t *testing.T, name string, s *target, addr string, others *others) {
	alone, attacked, after := 100*time.Millisecond, 500*time.Millisecond, 100*time.Millisecond
	if *whole {
		alone, attacked, after = time.Second, 4*time.Second, 2*time.Second
	}
	attacked = cmp.Or(a.lasts, attacked)
	during := func(d time.Duration) figures {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		return others.during(ctx)
	}
	during(alone / 2) // so that the server knows the callers
	calm := during(alone)
	before, lines := s.memory(t, "VmRSS"), s.logged(t)
	var base holdings
	if name != "grpc-go" {
		base = s.holds(t)
	}

	ctx, cancel := context.WithTimeout(t.Context(), attacked)
	defer cancel()
	wait := a.start(ctx, addr, s.client, *whole)
	met := others.during(ctx)
	done := wait()
	lines = max(0, s.logged(t)-lines-met.calls)
	peak := s.memory(t, "VmHWM")
	recovered := during(after)
	row := []any{a.name, name}
	if name == "" {
		row = row[:1]
	}
	rig.Row(append(row, done, mib(before), mib(peak), mib(s.memory(t, "VmRSS")), ms(calm.p99), ms(met.p99),
		fmt.Sprintf("%d of %d", met.failed, met.calls), lines)...)

	if done == 0 || calm.calls == 0 || calm.failed > 0 {
		t.Errorf("the attack did %d; %d of %d calls failed before it: %v", done, calm.failed, calm.calls, calm.first)
	}
	if name == "grpc-go" {
		return
	}
	if met.failed > 0 {
		t.Errorf("%d of %d calls failed during the attack: %v", met.failed, met.calls, met.first)
	}
	if peak > container {
		t.Errorf("it took %d MiB, and its container has %d", peak, container)
	}
	if recovered.failed > 0 || recovered.calls == 0 {
		t.Errorf("%d of %d calls failed after the attack: %v", recovered.failed, recovered.calls, recovered.first)
	}
	s.givesBack(t, base)
}

func mib(n int) string { return strconv.Itoa(n) + " MiB" }

func ms(d time.Duration) string { return strconv.Itoa(int(d.Milliseconds())) + " ms" }
