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

// cell is one situation in which every peer of a protocol is measured.
type cell struct {
	protocol  string
	tls       bool
	inFlight  int
	away      time.Duration
	variables int
}

func (c cell) String() string {
	texts := []string{strconv.Itoa(c.inFlight)}
	if c.away > 0 {
		texts = append(texts, fmt.Sprintf("%d ms away", c.away.Milliseconds()))
	}
	if c.tls {
		texts = append(texts, "TLS")
	}
	if c.variables > 0 {
		texts = append(texts, fmt.Sprintf("%d KiB", c.variables>>10))
	}
	return strings.Join(texts, ", ")
}

// cells returns all situations of the options.
func (o options) cells() (all []cell) {
	for _, tls := range o.tls {
		for _, protocol := range o.protocols {
			for _, away := range o.delays {
				for _, variables := range o.variables {
					for _, n := range o.inFlight {
						all = append(all, cell{protocol, tls, n, away, variables})
					}
				}
			}
		}
	}
	return all
}

// peers returns the names of all that can be run.
func peers(o options) []string {
	names := slices.Clone(everyPeer["grpc"])
	names = append(names, everyPeer["rest"]...)
	for _, b := range o.binaries {
		names = append(names, b[0])
	}
	return names
}

// everyPeer are the peers of a protocol beside digate.
var everyPeer = map[string][]string{
	"grpc": {"parts", "vanguard", "naive", "tuned"},
	"rest": {"reverseproxy", "nginx"},
}

// peersOf returns the peers of a protocol that are to run.
func (o options) peersOf(protocol string) []string {
	names := slices.Clone(everyPeer[protocol])
	for _, b := range o.binaries {
		names = append(names, b[0])
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return len(o.only) > 0 && !slices.Contains(o.only, name) && name != yardsticks[protocol]
	})
}
