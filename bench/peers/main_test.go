package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/digate/digate/bench/peers/internal/load"
)

// TestMain lets the test's binary be the peers that a comparison starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "serve" {
		main()
		return
	}
	if runtime.GOOS != "linux" {
		fmt.Println("the peers are measured on Linux alone")
		return
	}
	os.Exit(m.Run())
}

// Every peer makes one request of each call and returns every field of the response,
// or the comparison has an error for it.
func TestCompare_EveryPeer_MakesOneRequestAndReturnsEveryField(t *testing.T) {
	o := defaults()
	o.inFlight, o.away, o.variables = []int{8}, []time.Duration{time.Millisecond}, []int{0, 2000}
	o.tls = []bool{false, true}
	o.digates = append(o.digates, digate{name: "ids", ids: true}, digate{name: "bulk", bulk: true})
	o.rounds, o.warm, o.lasting = 1, 20*time.Millisecond, 50*time.Millisecond
	r, err := compare(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.failed(); err != nil {
		t.Error(err)
	}
	for _, c := range o.cells() {
		for _, name := range o.peersOf(c.Protocol) {
			s := r.of(c, name)
			proxy := name == "nginx" || name == "envoy" // no program of Go
			if proxy && s == nil {
				continue // not installed
			}
			if s == nil || len(s.Rounds) != 1 {
				t.Errorf("%s, %s, %s: %+v", c.Protocol, c, name, s)
				continue
			}
			if got := s.Rounds[0]; got.Calls == 0 || got.CPU <= 0 || got.Resident <= 0 || !proxy && got.Objects <= 0 {
				t.Errorf("%s, %s, %s: %+v", c.Protocol, c, name, got)
			}
		}
	}
	printResults(io.Discard, o, r)
}

func TestOptions_Only_KeepsTheYardsticks(t *testing.T) {
	o := defaults()
	o.only = []string{"digate"}
	if got, want := o.peersOf("grpc"), []string{"parts", "digate"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := o.peersOf("rest"), []string{"reverseproxy", "digate"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOptions_Ways_AreAPeerOfEachDigate(t *testing.T) {
	o := defaults()
	o.digates = append(o.digates, digate{name: "before"})
	o.only, o.ways = []string{"digate"}, []string{"plain", "ids", "bulk"}
	o.inWays()
	if got, want := o.peersOf("grpc"), []string{"parts", "digate", "digate ids", "digate bulk"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := o.peersOf("rest"), []string{"reverseproxy", "digate", "digate ids"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	o = defaults()
	o.only, o.ways = []string{"digate"}, []string{"ids"}
	o.inWays()
	if got, want := o.peersOf("rest"), []string{"reverseproxy", "digate ids"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if d, ok := o.digate("digate ids"); !ok || !d.ids || d.bulk {
		t.Errorf("got %+v, %t", d, ok)
	}
}

// A peer that asks the upstream more than once for a call is found out.
func TestObserve_MoreRequestsThanCalls_IsAnError(t *testing.T) {
	o := defaults()
	o.protocols, o.only, o.digates = []string{"rest"}, []string{"reverseproxy"}, nil
	err := onStages(o, t.Logf, func(stages map[bool]*stage) error {
		s := stages[false]
		run, end, err := s.caller(t.Context(), cell{Protocol: "rest", InFlight: 1}, "reverseproxy", digate{})
		if err != nil {
			return err
		}
		fewer := 0
		observe := func() error {
			_, err := s.observe(s.peers["reverseproxy"], func(bool) (load.Result, error) {
				r, err := run(t.Context(), load.Plan{InFlight: 1, For: 20 * time.Millisecond})
				r.Calls -= fewer
				return r, err
			}, true)
			return err
		}
		if err := observe(); err != nil {
			t.Error(err)
		}
		if fewer = 1; observe() == nil {
			t.Error("two requests for a call are taken for one")
		}
		return end()
	})
	if err != nil {
		t.Error(err)
	}
}

func TestResults_Rate_IsThatOfTheClientOfTheParts(t *testing.T) {
	grpc, rest := cell{Protocol: "grpc", InFlight: 1}, cell{Protocol: "rest", InFlight: 1}
	run := func(calls int) sample {
		return sample{CPU: time.Microsecond, Result: load.Result{Calls: calls, Took: time.Second}}
	}
	r := new(results)
	for round, calls := range []int{100, 50, 80} {
		r.add(grpc, "parts", round, run(100), nil)
		r.add(grpc, "digate", round, run(calls), nil)
		r.add(rest, "digate", round, run(calls), nil)
	}
	if got, ok := r.rate(grpc, "digate"); !ok || got != (ratio{0.8, 0.5, 1}) {
		t.Errorf("got %v, %t", got, ok)
	}
	if got, ok := r.rate(rest, "digate"); ok {
		t.Errorf("got %v for REST, where nobody asks Diga directly", got)
	}
}
