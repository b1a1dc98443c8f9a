package admission

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

var whole = flag.Bool("admission.whole", false, "run the scenes for as long as the tables of docs/admission.md take")

func TestMain(m *testing.M) { rig.Main(m, 0) }

// serve runs a digate process in front of the upstream.
func serve(t *testing.T, u *upstream, args ...string) *rig.Server {
	t.Helper()
	path, err := rig.Build("cmd/digate", false)
	if err != nil {
		t.Fatal(err)
	}
	s, err := rig.Serve(path, filepath.Join(t.TempDir(), "digate.log"),
		append([]string{"--upstream-url", u.URL()}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

// bound is the default of --upstream-max-in-flight.
const bound = 1000

// room is the share of the machine in use below which the machine slows down nobody.
const room = 0.9

func TestRun_HealthyUpstream_RefusesNone(t *testing.T) {
	callers, takes, lasting := []int{100}, []time.Duration{20 * time.Millisecond}, 300*time.Millisecond
	if *whole {
		callers = []int{20, 100, 300, 1000, 4000}
		takes = []time.Duration{0, 20 * time.Millisecond, 200 * time.Millisecond}
		lasting = 1500 * time.Millisecond
	}
	u := newUpstream(t)
	s := serve(t, u)
	token := "token-0123456789"
	rig.Row("in flight", "response time", "way", "calls/s", "of direct", "refused", "most under way", "reached after", "machine")
	rig.Row("--:", "--:", "---", "--:", "--:", "--:", "--:", "--:", "--:")
	for _, n := range callers {
		for _, takes := range takes {
			var direct, directUsed float64
			for _, way := range []string{"direct", "gRPC", "REST"} {
				t.Run(fmt.Sprintf("%d, %v, %s", n, takes, way), func(t *testing.T) {
					reach := n
					var call caller
					switch way {
					case "direct":
						call = overHTTP(t, u.URL(), token, "{}")
					case "gRPC":
						reach = min(n, bound)
						call = overGRPC(t, s.GRPC, token, n)
					default:
						reach = min(n, bound)
						call = overHTTP(t, "http://"+s.REST, token, "{}")
					}
					u.set(1<<20, takes, refusal{}, reach)
					c := gather(t, call, n)
					settle(lasting)
					before, began := int(c.made.Load()), time.Now()
					busy := machine()
					settle(lasting)
					rate := float64(int(c.made.Load())-before) / time.Since(began).Seconds()
					used := busy()
					_, failed := c.disperse()
					if way == "direct" {
						direct, directUsed = rate, used
					}
					counted := u.counted()
					after := "not"
					switch {
					case takes == 0:
						after = "" // few are ever under way at once
					case counted.reachedAfter > 0:
						after = counted.reachedAfter.Round(time.Millisecond).String()
					}
					rig.Row(n, takes, way, int(rate), fmt.Sprintf("%.0f %%", 100*rate/direct), failed, counted.most, after, fmt.Sprintf("%.0f %%", 100*used))
					if failed > 0 {
						t.Errorf("%d calls failed: %v", failed, c.first.Load())
					}
					if *whole && max(used, directUsed) < room && rate < 0.9*direct {
						t.Errorf("%.0f calls/s, %.0f directly, though the machine had room", rate, direct)
					}
				})
			}
		}
	}
}

func TestRun_UpstreamThatServes100_GetsHardlyMoreAndRecovers(t *testing.T) {
	callers, capacity, greater := 50, 10, 50
	if *whole {
		callers, capacity, greater = 1000, 100, 1000
	}
	u := newUpstream(t)
	rig.Row("beyond 100 at once", "response time", "served in 100", "refused by Diga", "recovered to 1,000 after")
	rig.Row("---", "--:", "--:", "--:", "--:")
	for _, c := range []struct {
		name    string
		beyond  refusal
		takes   time.Duration
		timeout string
		// The seconds until the figures count, until the upstream serves all, and from
		// then to the end.
		settled, before, after int
	}{
		{"429", refusal{status: 429}, 500 * time.Millisecond, "30s", 5, 12, 9},
		{"429, `Retry-After: 1`", refusal{status: 429, retryAfter: "1"}, 500 * time.Millisecond, "30s", 5, 12, 9},
		{"503", refusal{status: 503}, 500 * time.Millisecond, "30s", 5, 12, 9},
		{"no response within 4 s", refusal{}, 200 * time.Millisecond, "4s", 10, 18, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			settled, before, after := c.settled, c.before, c.after
			if !*whole {
				settled, before, after = 1, 2, 1
			}
			s := serve(t, u, "--upstream-timeout", c.timeout)
			u.set(capacity, c.takes, c.beyond, greater)
			crowd := gather(t, overGRPC(t, s.GRPC, "token-0123456789", callers), callers)
			settle(time.Duration(before) * time.Second)
			u.grow(greater)
			settle(time.Duration(after) * time.Second)
			counted := u.counted()
			crowd.disperse()
			load := metrics(t, s)
			s.Kill()
			var good, bad int
			for second := settled; second < before; second++ {
				good += counted.servedBy[second]
				bad += counted.refusedBy[second]
			}
			possible := capacity * int(time.Second/c.takes) * (before - settled)
			recovered := "not"
			if counted.reachedAfter > 0 {
				recovered = (counted.reachedAfter - time.Duration(before)*time.Second).Round(100 * time.Millisecond).String()
			}
			rig.Row(c.name, c.takes, fmt.Sprintf("%.1f", 100*float64(good)/float64(possible)),
				fmt.Sprintf("%.1f %%", 100*float64(bad)/float64(good+bad)), recovered)
			if *whole && (good*10 < possible*9 || bad*20 > good+bad || counted.reachedAfter == 0) {
				t.Errorf("served %d of %d, refused %d, recovered: %s; by the second: %v, %v\n%s", good, possible, bad, recovered,
					counted.servedBy[:before+after], counted.refusedBy[:before+after], load)
			}
		})
	}
}

func TestRun_GreedyCaller_DelaysItself(t *testing.T) {
	greedy, calls, every, takes := 50, 2, 100*time.Millisecond, 200*time.Millisecond
	if *whole {
		greedy, calls, every, takes = 1000, 12, 300*time.Millisecond, 800*time.Millisecond
	}
	u := newUpstream(t)
	s := serve(t, u)
	u.set(1<<20, takes, refusal{}, greedy)
	other := overGRPC(t, s.GRPC, "token-of-another", 1)
	measure := func() (p99 time.Duration) {
		var took []time.Duration
		for range calls {
			began := time.Now()
			if err := other(t.Context(), 0); err != nil {
				t.Errorf("a call of the other failed: %v", err)
			}
			took = append(took, time.Since(began))
			settle(every)
		}
		return slices.Max(took)
	}
	alone := measure()
	crowd := gather(t, overGRPC(t, s.GRPC, "token-0123456789", greedy), greedy)
	settle(2 * every)
	before, began, busy := int(crowd.made.Load()), time.Now(), machine()
	beside := measure()
	used, rate := busy(), float64(int(crowd.made.Load())-before)/time.Since(began).Seconds()
	_, failed := crowd.disperse()
	rig.Row("caller", "slowest call alone", fmt.Sprintf("beside %d in flight of another", greedy), "calls/s of the other", "machine")
	rig.Row("---", "--:", "--:", "--:", "--:")
	rig.Row(fmt.Sprintf("one call at a time, response time %v", takes), alone.Round(time.Millisecond), beside.Round(time.Millisecond),
		int(rate), fmt.Sprintf("%.0f %%", 100*used))
	if failed > 0 || *whole && beside > 2*alone {
		t.Errorf("alone %v, beside the greedy one %v, of which %d calls failed", alone, beside, failed)
	}
}

const (
	// timesHeld is how often a request may be in memory at once: as it arrives, decoded,
	// as sent to Diga, and once more while a buffer grows.
	timesHeld = 4
	// collected is what the process takes of what it holds, for the garbage collector.
	collected = 2
)

func TestRun_QueueFullOfLargeRequests_StaysBounded(t *testing.T) {
	const size = 1 << 20
	callers, queue, lasting := 20, 4<<20, time.Second
	if *whole {
		callers, queue, lasting = 100, 64<<20, 10*time.Second
	}
	u := newUpstream(t)
	s := serve(t, u, "--upstream-max-in-flight", "4", "--upstream-max-queue-bytes", strconv.Itoa(queue))
	atStart := memory(t, s, "VmRSS")
	u.set(1<<20, 50*time.Millisecond, refusal{}, 4)
	body := `{"variables":{"a":"` + strings.Repeat("x", size) + `"}}`
	crowd := gather(t, overHTTP(t, "http://"+s.REST, "token-0123456789", body), callers)
	settle(lasting)
	seen := await.Poll(await.Patience, nil, func() error {
		if crowd.made.Load() == 0 || crowd.failed.Load() == 0 {
			return errors.New("not yet both made and refused")
		}
		return nil
	})
	made, failed := crowd.disperse()
	most := memory(t, s, "VmHWM")
	allowed := atStart + float64(collected*timesHeld*callers*size>>20)
	rig.Row("callers with 1 MiB", "queue", "made", "refused", "RSS at start", "most RSS")
	rig.Row("--:", "--:", "--:", "--:", "--:", "--:")
	rig.Row(callers, fmt.Sprintf("%d MiB", queue>>20), made, failed, fmt.Sprintf("%.0f MiB", atStart), fmt.Sprintf("%.0f MiB", most))
	if most > allowed {
		t.Errorf("the server had %.0f MiB in memory, want %.0f at most", most, allowed)
	}
	if seen != nil {
		t.Errorf("%d made, %d refused", made, failed)
	}
}

// settle lets time pass while others are at work.
func settle(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	<-ctx.Done()
}

// machine returns a function that returns the share of all processors that was in
// use since.
func machine() func() float64 {
	idle, total := processors()
	return func() float64 {
		idle2, total2 := processors()
		return 1 - float64(idle2-idle)/float64(max(total2-total, 1))
	}
}

func processors() (idle, total int) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, runtime.NumCPU()
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, field := range strings.Fields(line)[1:] {
		n, _ := strconv.Atoi(field)
		if total += n; i == 3 || i == 4 {
			idle += n
		}
	}
	return idle, total
}

// metrics returns the metrics about the upstream.
func metrics(t *testing.T, s *rig.Server) string {
	t.Helper()
	text, err := s.Get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	var upstream strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "digate_upstream_") && !strings.Contains(line, "_bucket") {
			upstream.WriteString(line)
		}
	}
	return upstream.String()
}

// memory returns what the server has in memory, in MiB.
func memory(t *testing.T, s *rig.Server, key string) float64 {
	t.Helper()
	n, err := s.Memory(key)
	if err != nil {
		t.Skip(err) // a system that does not tell
	}
	return n
}
