package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// yardsticks are what the peers of a protocol are measured in.
var yardsticks = map[string]string{"grpc": "parts", "rest": "reverseproxy"}

// everyPeer are the peers of a protocol beside digate.
var everyPeer = map[string][]string{
	"grpc": {"parts", "envoy", "vanguard", "naive", "tuned"},
	"rest": {"reverseproxy", "nginx", "gateway"},
}

// cell is one situation in which every peer of a protocol is measured.
type cell struct {
	Protocol    string
	TLS         bool `json:",omitempty"`
	InFlight    int
	Away        time.Duration `json:",omitempty"`
	Variables   int           `json:",omitempty"` // bytes
	Connections int           `json:",omitempty"` // of gRPC
	Rate        float64       `json:",omitempty"` // calls/s, 0 for as many as get done
}

func (c cell) String() string {
	texts := []string{strconv.Itoa(c.InFlight)}
	if c.Away > 0 {
		texts = append(texts, fmt.Sprintf("%d ms away", c.Away.Milliseconds()))
	}
	if c.TLS {
		texts = append(texts, "TLS")
	}
	if c.Variables > 0 {
		texts = append(texts, bytesText(c.Variables))
	}
	return strings.Join(texts, ", ")
}

// bytesText writes a number of bytes as a reader does.
func bytesText(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d B", n)
	}
}

// digate is one way to run digate.
type digate struct {
	name string
	path string   // empty for the tree's own
	args []string // beside those of every digate
	env  []string
	ids  bool // calls have a request id, each its own
	bulk bool // calls are items of bulk streams, one on each connection
}

// plain is the way of calls without a request id.
const plain = "plain"

// everyWay are the ways in which a digate is called.
var everyWay = map[string]func(*digate){
	plain:  func(*digate) {},
	"ids":  func(d *digate) { d.ids = true },
	"bulk": func(d *digate) { d.bulk = true },
}

// options are what to compare, and for how long.
type options struct {
	only        []string // names of peers, empty for all
	protocols   []string
	inFlight    []int
	away        []time.Duration
	tls         []bool
	variables   []int
	connections []int
	rounds      int
	lasting     time.Duration
	warm        time.Duration
	digates     []digate
	ways        []string // in which each digate is called
}

func defaults() options {
	return options{
		protocols: []string{"grpc", "rest"}, inFlight: []int{1, 16, 128, 1000}, away: []time.Duration{0, 20 * time.Millisecond},
		tls: []bool{false}, variables: []int{0}, connections: []int{4},
		rounds: 3, lasting: 250 * time.Millisecond, warm: 75 * time.Millisecond, digates: []digate{{name: "digate"}},
		ways: []string{plain},
	}
}

// inWays makes a peer of each digate in each way. Its name tells of every way but the
// plain one. A digate that is to run alone runs in each way.
func (o *options) inWays() {
	var all []digate
	for _, d := range o.digates {
		listed := slices.Index(o.only, d.name)
		for _, way := range o.ways {
			in := d
			if everyWay[way](&in); way != plain {
				in.name += " " + way
			}
			all = append(all, in)
			if listed >= 0 && way != plain {
				o.only = append(o.only, in.name)
			}
		}
		if listed >= 0 && !slices.Contains(o.ways, plain) {
			o.only = slices.DeleteFunc(o.only, func(name string) bool { return name == d.name })
		}
	}
	o.digates = all
}

// cells returns all situations of the options. What TLS takes has nothing to do with
// where the upstream is: beside plain connections, one distance is enough.
func (o options) cells() (all []cell) {
	for _, tls := range o.tls {
		for _, protocol := range o.protocols {
			for _, away := range o.away {
				if tls && len(o.tls) > 1 && away != o.away[0] {
					continue
				}
				for _, variables := range o.variables {
					for _, connections := range o.connections {
						for _, n := range o.inFlight {
							if protocol == "rest" {
								connections = 0 // each call in flight has its own
							}
							all = append(all, cell{protocol, tls, n, away, variables, connections, 0})
						}
					}
				}
			}
		}
	}
	return all
}

// peersOf returns the peers of a protocol that are to run.
func (o options) peersOf(protocol string) []string {
	names := slices.Clone(everyPeer[protocol])
	for _, d := range o.digates {
		if protocol == "grpc" || !d.bulk { // the stream is gRPC's
			names = append(names, d.name)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return len(o.only) > 0 && !slices.Contains(o.only, name) && name != yardsticks[protocol]
	})
}

// known reports whether there is a peer of that name.
func (o options) known(name string) bool {
	return slices.ContainsFunc(o.protocols, func(protocol string) bool { return slices.Contains(everyPeer[protocol], name) }) ||
		slices.ContainsFunc(o.digates, func(d digate) bool { return d.name == name })
}

// digate returns how the digate of that name runs.
func (o options) digate(name string) (digate, bool) {
	i := slices.IndexFunc(o.digates, func(d digate) bool { return d.name == name })
	if i < 0 {
		return digate{}, false
	}
	return o.digates[i], true
}
