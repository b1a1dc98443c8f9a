package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/bench/peers/internal/fixture"
	"github.com/digate/digate/bench/peers/internal/load"
	"github.com/digate/digate/bench/peers/internal/process"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

// measurements are all that the page shows.
type measurements struct {
	On       string // the day
	Machine  string
	Sections map[string]*results
}

// The sections of the page.
const (
	peersSection       = "peers"
	concurrencySection = "concurrency"
	sizeSection        = "size"
	connectionsSection = "connections"
	coresSection       = "cores"
	ledgerSection      = "ledger"
	halfSection        = "half"
	idleSection        = "idle"
	tracesSection      = "traces"
)

// oneCore is a digate with one processor.
const oneCore = "digate, 1 core"

// sections measure one each.
var sections = map[string]func(*testing.T) *results{
	peersSection: func(t *testing.T) *results {
		o := defaults()
		o.tls = []bool{false, true}
		o.lasting, o.warm = 500*time.Millisecond, 150*time.Millisecond
		return compareAll(t, o)
	},
	concurrencySection: func(t *testing.T) *results {
		o := alone()
		o.inFlight = []int{1, 4, 16, 64, 256, 1024, 4096}
		return compareAll(t, o)
	},
	sizeSection: func(t *testing.T) *results {
		o := alone()
		o.inFlight, o.variables = []int{16}, []int{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20}
		return compareAll(t, o)
	},
	connectionsSection: func(t *testing.T) *results {
		o := alone()
		o.protocols, o.inFlight, o.connections = []string{"grpc"}, []int{256}, []int{1, 4, 16, 64, 256}
		return compareAll(t, o)
	},
	coresSection: func(t *testing.T) *results {
		o := alone()
		o.inFlight = []int{16, 128, 1000}
		o.digates = append(o.digates, digate{name: oneCore, env: []string{"GOMAXPROCS=1"}})
		o.only = []string{"digate", oneCore}
		return compareAll(t, o)
	},
	ledgerSection: withLedgers,
	halfSection:   atHalfLoad,
	idleSection:   atRest,
	tracesSection: withTraces,
}

// measure measures a section.
func (m *measurements) measure(t *testing.T, name string) {
	t.Helper()
	section, ok := sections[name]
	if !ok {
		t.Fatalf("there is no section %q: %v", name, slices.Sorted(maps.Keys(sections)))
	}
	t.Logf("%s: %s", time.Now().Format(time.TimeOnly), name)
	debug.SetGCPercent(400) // the callers' collector would take time from the peers
	m.Sections[name] = section(t)
	m.On = time.Now().UTC().Format("2 January 2006")
	m.Machine = fmt.Sprintf("%d cores of an %s, %s/%s, %s", runtime.NumCPU(), processor(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// alone returns options for digate beside the yardsticks, in front of an upstream
// that is near.
func alone() options {
	o := defaults()
	o.rounds, o.away, o.only, o.tls = 5, []time.Duration{0}, []string{"digate"}, []bool{false}
	o.lasting, o.warm = 400*time.Millisecond, 100*time.Millisecond
	return o
}

// compareAll compares what the options say, none of which may fail.
func compareAll(t *testing.T, o options) *results {
	t.Helper()
	r, err := compare(t.Context(), o, os.Stderr)
	if err == nil {
		err = r.failed()
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// withLedgers measures copies without a request id beside copies with a new one, on
// every kind of ledger.
func withLedgers(t *testing.T) *results {
	// The settings of a database in production.
	database := pgtest.Start(t, "fsync=on", "full_page_writes=on", "synchronous_commit=on").NewDatabase()
	key := filepath.Join(t.TempDir(), "ledger.key")
	write(t, key, []byte(hex.EncodeToString(make([]byte, 32))))
	o := alone()
	o.protocols, o.inFlight = []string{"grpc"}, []int{16, 128}
	o.digates = []digate{
		{name: "digate"},
		{name: "memory", ids: true},
		{name: "bulk", bulk: true},
		{name: "sqlite", ids: true, args: []string{"--ledger", "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")}},
		{name: "postgres", ids: true, args: []string{"--ledger", database, "--ledger-key-file", key}},
	}
	o.only = []string{"digate", "memory", "bulk", "sqlite", "postgres"}
	return compareAll(t, o)
}

// withTraces measures the same digate without traces, with a hundredth of the calls
// sampled, and with all of them. The collector is in this process.
func withTraces(t *testing.T) *results {
	var batches atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		batches.Add(1)
	}))
	defer collector.Close()
	o := alone()
	o.inFlight = []int{16, 128}
	env := func(part string) []string {
		return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=" + part}
	}
	o.digates = []digate{{name: "digate"}, {name: "1 %", env: env("0.01")}, {name: "all", env: env("1")}}
	o.only = []string{"digate", "1 %", "all"}
	r := compareAll(t, o)
	if batches.Load() == 0 {
		t.Error("the collector got nothing")
	}
	return r
}

// atHalfLoad measures how long calls take while everything that takes part in them takes
// half of the processors' time. Calls begin at any time, and not when another is done.
//
// At half of the highest rate there would be more load: the fewer calls there are at once,
// the more time each takes.
//
// The tuned facade shows how evenly the machine itself lets calls through.
func atHalfLoad(t *testing.T) *results {
	half := new(results)
	o := alone()
	o.protocols, o.only, o.lasting = []string{"grpc"}, []string{"digate", "tuned"}, 2*time.Second
	err := onStages(o, t.Logf, func(stages map[bool]*stage) error {
		s := stages[false]
		for _, away := range defaults().away {
			rates := make(map[string]cell)
			for _, name := range o.only {
				// So many in flight that none waits for another to end.
				c, err := s.halfLoad(t.Context(), cell{Protocol: "grpc", InFlight: 2000, Connections: 4, Away: away}, name)
				if err != nil {
					return err
				}
				rates[name] = c
			}
			for round := range o.rounds {
				for _, name := range o.only {
					got, err := s.measure(t.Context(), o, rates[name], name)
					half.add(rates[name], name, round, got, err)
				}
			}
		}
		return half.failed()
	})
	if err != nil {
		t.Error(err)
	}
	return half
}

// halfLoad returns the cell with the rate at which callers, peer and upstream together
// take half of the processors' time.
func (s *stage) halfLoad(ctx context.Context, c cell, name string) (cell, error) {
	c.Rate = 500
	for range 5 {
		busy, err := s.busy(ctx, c, name)
		if err != nil {
			return c, err
		}
		c.Rate = math.Round(c.Rate * 0.5 / busy)
	}
	return c, nil
}

// busy returns how much of the processors' time callers, peer and upstream take.
func (s *stage) busy(ctx context.Context, c cell, name string) (part float64, err error) {
	if err := s.setDelay(c.Away); err != nil {
		return 0, err
	}
	run, end, err := s.caller(ctx, c, name, digate{})
	if err != nil {
		return 0, err
	}
	defer func() { _ = end() }()
	plan := load.Plan{InFlight: c.InFlight, Rate: c.Rate, For: 100 * time.Millisecond}
	if _, err := run(ctx, plan); err != nil {
		return 0, err
	}
	before, err := s.allCPU(name)
	if err != nil {
		return 0, err
	}
	plan.For = time.Second
	result, err := run(ctx, plan)
	if err != nil {
		return 0, err
	}
	after, err := s.allCPU(name)
	return float64(after-before) / float64(result.Took) / float64(runtime.NumCPU()), err
}

// allCPU returns the processors' time that callers, peer and upstream have taken.
func (s *stage) allCPU(name string) (sum time.Duration, err error) {
	for _, of := range []func() (time.Duration, error){process.OwnCPU, s.upstream.CPU, s.peers[name].CPU} {
		cpu, err := of()
		if err != nil {
			return 0, err
		}
		sum += cpu
	}
	return sum, nil
}

// atRest measures what a digate has in memory with gRPC connections on which nothing
// happens. Each has made a call before.
func atRest(t *testing.T) *results {
	idle := new(results)
	o := alone()
	o.protocols = []string{"grpc"}
	err := onStages(o, t.Logf, func(stages map[bool]*stage) error {
		s := stages[false]
		for _, n := range []int{1, 1000, 2500, 5000, 10_000} {
			c := cell{Protocol: "grpc", InFlight: n, Connections: n}
			got, err := s.measureIdle(t.Context(), c, "digate")
			idle.add(c, "digate", 0, got, err)
		}
		return idle.failed()
	})
	if err != nil {
		t.Error(err)
	}
	return idle
}

// measureIdle opens that many connections to a peer, makes a call on each, and
// returns what the peer then has in memory.
func (s *stage) measureIdle(ctx context.Context, c cell, name string) (got sample, err error) {
	call, end, err := load.OverGRPC(s.peers[name].GRPC, load.Method{Name: method(name)}, c.Connections, s.roots, fixture.Variables{})
	if err != nil {
		return got, err
	}
	defer func() { _ = end() }()
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(64)
	for n := range c.Connections {
		calls.Go(func() error { return call(ctx, n, n) })
	}
	if err := calls.Wait(); err != nil {
		return got, err
	}
	got.Calls = c.Connections
	got.Resident, err = s.peers[name].Resident()
	return got, err
}

// processor returns the name of the machine's processor.
func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t: "))
		}
	}
	return "unknown processor"
}
