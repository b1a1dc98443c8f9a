package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// results are all samples of a comparison.
type results struct {
	options options
	samples map[entry][]sample // by the round
	errs    map[entry]error    // the first of each
}

// entry is a peer in a cell.
type entry struct {
	cell cell
	peer string
}

func newResults(o options) *results {
	return &results{options: o, samples: make(map[entry][]sample), errs: make(map[entry]error)}
}

func (r *results) add(c cell, peer string, round int, s sample, err error) {
	e := entry{c, peer}
	if err != nil {
		r.errs[e] = cmp.Or(r.errs[e], err)
		return
	}
	for len(r.samples[e]) < round {
		r.samples[e] = append(r.samples[e], sample{}) // a round that failed
	}
	r.samples[e] = append(r.samples[e], s)
}

// failed returns an error if a peer failed.
func (r *results) failed() error {
	var errs []error
	for _, c := range r.options.cells() {
		for _, name := range r.options.peersOf(c.protocol) {
			if err := r.errs[entry{c, name}]; err != nil {
				errs = append(errs, fmt.Errorf("%s, %s, %s: %w", c.protocol, c, name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// ratio returns the CPU time of a call in one peer divided by that in another: the
// median over the rounds, the least and the greatest.
func (r *results) ratio(c cell, peer, other string) (median, least, greatest float64, ok bool) {
	a, b := r.samples[entry{c, peer}], r.samples[entry{c, other}]
	var all []float64
	for round := range min(len(a), len(b)) {
		if a[round].cpu > 0 && b[round].cpu > 0 {
			all = append(all, float64(a[round].cpu)/float64(b[round].cpu))
		}
	}
	if len(all) == 0 {
		return 0, 0, 0, false
	}
	return middle(all), slices.Min(all), slices.Max(all), true
}

// middle returns the median.
func middle[T cmp.Ordered](values []T) T {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// median returns the median of a figure of the samples that did not fail.
func median[T cmp.Ordered](samples []sample, figure func(sample) T) T {
	var values []T
	for _, s := range samples {
		if s.Calls > 0 {
			values = append(values, figure(s))
		}
	}
	return middle(values)
}

// print prints the tables.
func (r *results) print(w io.Writer) {
	for _, protocol := range r.options.protocols {
		var cells []cell
		for _, c := range r.options.cells() {
			if c.protocol == protocol {
				cells = append(cells, c)
			}
		}
		r.printRatios(w, protocol, cells)
		r.printFigures(w, protocol, cells)
	}
}

// printRatios prints, by cell, each peer's CPU time as a multiple of the yardstick's,
// and digate's as a multiple of each other's.
func (r *results) printRatios(w io.Writer, protocol string, cells []cell) {
	head, rule := "| CPU of a "+map[string]string{"grpc": "gRPC", "rest": "REST"}[protocol]+" call, in flight |", "|---|"
	for _, c := range cells {
		head += " " + c.String() + " |"
		rule += "--:|"
	}
	fmt.Fprintf(w, "%s\n%s\n", head, rule)
	names := r.options.peersOf(protocol)
	row := func(peer, other string) {
		cols := make([]string, len(cells))
		for i, c := range cells {
			if median, least, greatest, ok := r.ratio(c, peer, other); ok {
				cols[i] = fmt.Sprintf("%.2f (%.2f–%.2f)", median, least, greatest)
			}
		}
		fmt.Fprintf(w, "| %s ÷ %s | %s |\n", peer, other, strings.Join(cols, " | "))
	}
	yardstick := yardsticks[protocol]
	for _, name := range names {
		if name != yardstick {
			row(name, yardstick)
		}
	}
	for _, b := range r.options.binaries {
		for _, name := range names {
			if slices.Contains(names, b[0]) && name != yardstick && name != b[0] {
				row(b[0], name)
			}
		}
	}
	fmt.Fprintln(w)
}

// printFigures prints everything about each peer in each cell.
func (r *results) printFigures(w io.Writer, protocol string, cells []cell) {
	fmt.Fprintf(w, "| %s calls in flight | peer | CPU | calls/s | p50 | p99 | allocations | allocated | new connections | memory |\n"+
		"|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n", map[string]string{"grpc": "gRPC", "rest": "REST"}[protocol])
	for _, c := range cells {
		for _, name := range r.options.peersOf(protocol) {
			e := entry{c, name}
			if r.errs[e] != nil {
				fmt.Fprintf(w, "| %s | %s | failed | | | | | | | |\n", c, name)
				continue
			}
			s := r.samples[e]
			if len(s) == 0 {
				continue
			}
			allocations, allocated := "", ""
			if n := median(s, func(s sample) float64 { return s.objects }); n > 0 {
				allocations = fmt.Sprintf("%.0f", n)
				allocated = fmt.Sprintf("%.1f kB", median(s, func(s sample) float64 { return s.bytes })/1000)
			}
			fmt.Fprintf(w, "| %s | %s | %.1f µs | %.0f | %s | %s | %s | %s | %d | %.0f MiB |\n", c, name,
				median(s, func(s sample) float64 { return float64(s.cpu) / float64(time.Microsecond) }),
				median(s, func(s sample) float64 { return s.PerSecond() }),
				short(median(s, func(s sample) time.Duration { return s.P50 })), short(median(s, func(s sample) time.Duration { return s.P99 })),
				allocations, allocated, median(s, func(s sample) int { return s.connections }),
				median(s, func(s sample) float64 { return float64(s.resident) / (1 << 20) }))
		}
	}
	fmt.Fprintln(w)
}

// short returns a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	default:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	}
}
