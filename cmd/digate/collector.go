package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// minGarbage is how much may be allocated between two collections at least, in bytes.
	minGarbage = 64 << 20
	// usualPercent is the runtime's own GOGC: as much may be allocated as is in use.
	usualPercent = 100
)

// inUse are the metrics of what the last collection found in use and had to look at.
var inUse = []string{"/gc/heap/live:bytes", "/gc/scan/stack:bytes", "/gc/scan/globals:bytes"}

// spareCollector lets [minGarbage] be allocated before the garbage is collected. A server
// with a hundred calls under way uses 6 MiB, and makes as much garbage in a few hundred
// calls: the runtime would collect it ten times a second. A server that uses more than
// minGarbage is collected as the runtime does it, GOMEMLIMIT has its effect at any time,
// and where GOGC is set, nothing changes.
func spareCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	c := &collection{inUse: make([]metrics.Sample, len(inUse))}
	for i, name := range inUse {
		c.inUse[i].Name = name
	}
	c.over()
}

// collection is garbage, so that its end tells of a collection. It holds a pointer: the
// runtime may never finalize a small value that holds none.
type collection struct {
	inUse   []metrics.Sample
	percent int
}

// over adapts the runtime's percentage to what is in use now, and does it again after the
// next collection.
func (c *collection) over() {
	metrics.Read(c.inUse)
	var used uint64
	for _, s := range c.inUse {
		used += s.Value.Uint64()
	}
	// Each change stops the world for a moment.
	if percent := collectorPercent(used); percent > c.percent+c.percent/8 || percent < c.percent-c.percent/8 {
		c.percent = percent
		debug.SetGCPercent(percent)
	}
	runtime.SetFinalizer(c, (*collection).over)
}

// leastInUse is taken for less, which is in use at the start.
const leastInUse = 4 << 20

// collectorPercent returns how much may be allocated beside what is in use, as GOGC has it.
func collectorPercent(used uint64) int {
	return max(int(minGarbage*100/max(used, leastInUse)), usualPercent)
}
