package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// results are all samples of a comparison, in the order in which they came.
type results struct {
	Series []*series
}

// series is what a peer has shown in a cell, by the round.
type series struct {
	Cell   cell
	Peer   string
	Rounds []sample
	err    error // the first
}

// of returns the series of a peer in a cell, nil if there is none.
func (r *results) of(c cell, peer string) *series {
	i := slices.IndexFunc(r.Series, func(s *series) bool { return s.Cell == c && s.Peer == peer })
	if i < 0 {
		return nil
	}
	return r.Series[i]
}

func (r *results) add(c cell, peer string, round int, got sample, err error) {
	s := r.of(c, peer)
	if s == nil {
		s = &series{Cell: c, Peer: peer}
		r.Series = append(r.Series, s)
	}
	for len(s.Rounds) < round {
		s.Rounds = append(s.Rounds, sample{}) // a round that failed
	}
	if err != nil {
		s.err = cmp.Or(s.err, err)
		got = sample{}
	}
	s.Rounds = append(s.Rounds, got)
}

// failed returns an error if a peer failed.
func (r *results) failed() error {
	var errs []error
	for _, s := range r.Series {
		if s.err != nil {
			errs = append(errs, fmt.Errorf("%s, %s, %s: %w", s.Cell.Protocol, s.Cell, s.Peer, s.err))
		}
	}
	return errors.Join(errs...)
}

// cells returns the situations of a protocol, and peers the names of those that were
// measured in any of them.
func (r *results) cells(protocol string) (cells []cell) {
	for _, s := range r.Series {
		if s.Cell.Protocol == protocol && !slices.Contains(cells, s.Cell) {
			cells = append(cells, s.Cell)
		}
	}
	return cells
}

// ratio is one figure as a multiple of another of the same round: the median of the
// rounds, the least and the greatest.
type ratio struct{ median, least, greatest float64 }

// ratio compares the CPU time of two peers in a cell.
func (r *results) ratio(c cell, peer, other string) (ratio, bool) {
	return r.compare(c, peer, other, func(s sample) float64 { return float64(s.CPU) })
}

// rate compares how many calls a peer of gRPC makes in a second in a cell with how many a
// client makes that asks the upstream itself. That client is a half of the parts, and their
// rate is its rate.
func (r *results) rate(c cell, peer string) (ratio, bool) {
	if c.Protocol != "grpc" {
		return ratio{}, false
	}
	return r.compare(c, peer, yardsticks[c.Protocol], func(s sample) float64 { return s.PerSecond() })
}

// compare compares a figure of two peers in a cell.
func (r *results) compare(c cell, peer, other string, figure func(sample) float64) (ratio, bool) {
	a, b := r.of(c, peer), r.of(c, other)
	if a == nil || b == nil {
		return ratio{}, false
	}
	var all []float64
	for round := range min(len(a.Rounds), len(b.Rounds)) {
		if a, b := a.Rounds[round], b.Rounds[round]; a.Calls > 0 && b.Calls > 0 && figure(a) > 0 && figure(b) > 0 {
			all = append(all, figure(a)/figure(b))
		}
	}
	if len(all) == 0 {
		return ratio{}, false
	}
	return ratio{middle(all), slices.Min(all), slices.Max(all)}, true
}

// middle returns the median.
func middle[T cmp.Ordered](values []T) T {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// median returns the median of a figure over the rounds that did not fail, 0 if all
// did.
func median[T cmp.Ordered](s *series, figure func(sample) T) (m T) {
	if s == nil {
		return m
	}
	var values []T
	for _, round := range s.Rounds {
		if round.Calls > 0 {
			values = append(values, figure(round))
		}
	}
	if len(values) == 0 {
		return m
	}
	return middle(values)
}
