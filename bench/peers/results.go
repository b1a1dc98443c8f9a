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

// ratio is one CPU time as a multiple of another of the same round: the median of
// the rounds, the least and the greatest.
type ratio struct{ median, least, greatest float64 }

// ratio compares two peers in a cell.
func (r *results) ratio(c cell, peer, other string) (ratio, bool) {
	a, b := r.of(c, peer), r.of(c, other)
	if a == nil || b == nil {
		return ratio{}, false
	}
	var all []float64
	for round := range min(len(a.Rounds), len(b.Rounds)) {
		if a.Rounds[round].CPU > 0 && b.Rounds[round].CPU > 0 {
			all = append(all, float64(a.Rounds[round].CPU)/float64(b.Rounds[round].CPU))
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
