package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// protocolNames are how the protocols are written.
var protocolNames = map[string]string{"grpc": "gRPC", "rest": "REST"}

// printResults prints everything that was measured.
func printResults(w io.Writer, o options, r *results) {
	for _, protocol := range o.protocols {
		cells := r.cells(protocol)
		printRatios(w, o, r, protocol, cells, true)
		fmt.Fprintln(w)
		printFigures(w, o, r, protocol, cells)
		fmt.Fprintln(w)
	}
}

// printRatios prints, by cell, each peer's CPU time as a multiple of the yardstick's,
// and digate's as a multiple of each other's, and how many calls each makes in a second as
// a multiple of a direct client's: the median of the rounds, with spread the least and the
// greatest too.
func printRatios(w io.Writer, o options, r *results, protocol string, cells []cell, spread bool) {
	head, rule := "| "+protocolNames[protocol]+", CPU of a call; in flight |", "|---|"
	for _, c := range cells {
		head += " " + c.String() + " |"
		rule += "--:|"
	}
	fmt.Fprintf(w, "%s\n%s\n", head, rule)
	names := o.peersOf(protocol)
	row := func(name string, of func(cell) (ratio, bool)) {
		columns := make([]string, len(cells))
		for i, c := range cells {
			if ratio, ok := of(c); ok {
				columns[i] = fmt.Sprintf("%.2f", ratio.median)
				if spread {
					columns[i] += fmt.Sprintf(" (%.2f–%.2f)", ratio.least, ratio.greatest)
				}
			}
		}
		if strings.Join(columns, "") != "" {
			fmt.Fprintf(w, "| %s | %s |\n", name, strings.Join(columns, " | "))
		}
	}
	times := func(peer, other string) {
		row(peer+" ÷ "+other, func(c cell) (ratio, bool) { return r.ratio(c, peer, other) })
	}
	yardstick := yardsticks[protocol]
	for _, name := range names {
		if name != yardstick {
			times(name, yardstick)
		}
	}
	for _, d := range o.digates {
		for _, name := range names {
			if slices.Contains(names, d.name) && name != yardstick && name != d.name {
				times(d.name, name)
			}
		}
	}
	for _, name := range names {
		if name != yardstick {
			row("calls/s, "+name+" ÷ a direct client", func(c cell) (ratio, bool) { return r.rate(c, name) })
		}
	}
}

// printFigures prints everything about each peer in each cell.
func printFigures(w io.Writer, o options, r *results, protocol string, cells []cell) {
	fmt.Fprintf(w, "| %s calls in flight | peer | CPU of a call | calls/s | p50 | p99 | allocations | allocated | new connections | memory |\n"+
		"|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n", protocolNames[protocol])
	for _, c := range cells {
		for _, name := range o.peersOf(protocol) {
			s := r.of(c, name)
			switch {
			case s == nil:
			case s.err != nil:
				fmt.Fprintf(w, "| %s | %s | failed | | | | | | | |\n", c, name)
			default:
				allocations, allocated := "", ""
				if n := median(s, func(s sample) float64 { return s.Objects }); n > 0 {
					allocations = fmt.Sprintf("%.0f", n)
					allocated = fmt.Sprintf("%.1f kB", median(s, func(s sample) float64 { return s.Bytes })/1000)
				}
				fmt.Fprintf(w, "| %s | %s | %.1f µs | %.0f | %s | %s | %s | %s | %d | %.0f MiB |\n", c, name,
					microseconds(s), perSecond(s), duration(p50(s)), duration(p99(s)), allocations, allocated,
					median(s, func(s sample) int { return s.Opened }), mib(s))
			}
		}
	}
}

// The figures of a series, each the median of its rounds.

// microseconds returns the CPU time of a call.
func microseconds(s *series) float64 {
	return median(s, func(s sample) float64 { return float64(s.CPU) / float64(time.Microsecond) })
}

func perSecond(s *series) float64 { return median(s, func(s sample) float64 { return s.PerSecond() }) }

func p50(s *series) time.Duration { return median(s, func(s sample) time.Duration { return s.P50 }) }

func p99(s *series) time.Duration { return median(s, func(s sample) time.Duration { return s.P99 }) }

// mib returns what the process had in memory at the end.
func mib(s *series) float64 {
	return median(s, func(s sample) float64 { return float64(s.Resident) / (1 << 20) })
}

// duration writes a duration with three digits.
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	default:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	}
}
