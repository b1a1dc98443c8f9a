package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/digate/digate/test/await"
)

func TestCollectorPercent_WhateverIsInUse_LeavesRoomAndNoMoreThanTheRuntimeBeyondIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		used uint64
		want int
	}{
		{0, 1600},
		{4 << 20, 1600},
		{8 << 20, 800},
		{63 << 20, 101},
		{64 << 20, 100},
		{4 << 30, 100},
	} {
		if got := collectorPercent(c.used); got != c.want {
			t.Errorf("%d in use: got %d %%, want %d", c.used, got, c.want)
		}
	}
}

// What is in use is a few MiB, then 100, and then a few MiB again.
func TestSpareCollector_MemoryInUse_IsFollowed(t *testing.T) {
	if os.Getenv("GOGC") != "" {
		t.Skip("GOGC is set")
	}
	spareCollector()
	becomes := func(what string, is func(percent int) bool) {
		t.Helper()
		err := await.Poll(await.Patience, nil, func() error {
			runtime.GC()
			if got := gogc(); !is(got) {
				return fmt.Errorf("%s: the percentage is %d", what, got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	becomes("little in use", func(percent int) bool { return percent > 2*usualPercent })
	held := make([]byte, 100<<20)
	becomes("much in use", func(percent int) bool { return percent == usualPercent })
	runtime.KeepAlive(held)

	becomes("little in use again", func(percent int) bool { return percent > 2*usualPercent })
}

// gogc returns the runtime's percentage.
func gogc() int {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}
