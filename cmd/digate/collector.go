package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// minGarbage is the minimum number of bytes that are allocated between two garbage
	// collections.
	minGarbage = 64 << 20
	// usualPercent is the runtime's default GOGC: the heap may grow by as much as is in
	// use.
	usualPercent = 100
)

// inUse are the metrics of the memory that the last collection found in use or had to
// scan.
var inUse = []string{"/gc/heap/live:bytes", "/gc/scan/stack:bytes", "/gc/scan/globals:bytes"}

// spareCollector makes the garbage collector wait until [minGarbage] was allocated. A
// server with a hundred concurrent calls uses 6 MiB and produces as much garbage in a few
// hundred calls, so the runtime would collect it ten times a second. If the server uses
// more than minGarbage, the runtime's default applies. GOMEMLIMIT always applies, and if
// GOGC is set, spareCollector changes nothing.
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

// collection is an object that becomes garbage at once, so that its finalizer runs after
// the next collection. It contains a pointer because the runtime may never finalize a
// small object without one.
type collection struct {
	inUse   []metrics.Sample
	percent int
}

// over adapts GOGC to the memory in use, and registers itself for the next collection.
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

// leastInUse is the minimum assumed memory in use, which is that at the start.
const leastInUse = 4 << 20

// collectorPercent returns the GOGC for the memory in use.
func collectorPercent(used uint64) int {
	return max(int(minGarbage*100/max(used, leastInUse)), usualPercent)
}
