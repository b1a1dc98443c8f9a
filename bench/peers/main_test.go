package main

import (
	"io"
	"os"
	"slices"
	"testing"
	"time"
)

// TestMain lets the test's binary be the peers that a comparison starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Every peer makes one request of each call and returns every field of the response,
// or the comparison has an error for it.
func TestCompare_EveryPeer_MakesOneRequestAndReturnsEveryField(t *testing.T) {
	o := defaults()
	o.inFlight, o.delays, o.variables = []int{1, 16}, []time.Duration{0, time.Millisecond}, []int{0, 2000}
	o.rounds, o.warm, o.lasting = 1, 20*time.Millisecond, 50*time.Millisecond
	r, err := compare(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.failed(); err != nil {
		t.Error(err)
	}
	for _, c := range o.cells() {
		for _, name := range o.peersOf(c.protocol) {
			s := r.samples[entry{c, name}]
			if name == "nginx" && len(s) == 0 {
				continue // not installed
			}
			if len(s) != 1 || s[0].Calls == 0 || s[0].cpu <= 0 || s[0].resident <= 0 || name != "nginx" && s[0].objects <= 0 {
				t.Errorf("%s, %s, %s: %+v", c.protocol, c, name, s)
			}
		}
	}
	r.print(io.Discard)
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
