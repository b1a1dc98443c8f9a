//go:build unix

package bulk

import (
	"testing"
	"time"

	"github.com/digate/digate/test/rig"
)

const mib = 1 << 20

// memory returns the most that the server had in memory at once, in MiB.
func memory(t *testing.T, s *rig.Server) float64 {
	t.Helper()
	n, err := s.Memory("VmHWM")
	if err != nil {
		t.Skip(err) // a system that does not tell
	}
	return n
}

// processor returns the time of a processor that the server has used.
func processor(t *testing.T, s *rig.Server) time.Duration {
	t.Helper()
	seconds, err := s.Metric("process_cpu_seconds_total")
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(seconds * float64(time.Second))
}

// live returns what the server's heap holds, in bytes.
func live(t *testing.T, s *rig.Server) float64 {
	t.Helper()
	b, err := s.Heap()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// watchHeap looks at the server's heap all the time. The function that it returns
// ends that, and returns the most that was in use, in MiB.
func watchHeap(t *testing.T, s *rig.Server) (most func() float64) {
	t.Helper()
	stop, ended := make(chan struct{}), make(chan struct{})
	var highest float64
	var failed error
	go func() {
		defer close(ended)
		again := time.NewTicker(100 * time.Millisecond)
		defer again.Stop()
		for {
			var b float64
			if b, failed = s.Metric("go_memstats_heap_inuse_bytes"); failed != nil {
				return
			}
			highest = max(highest, b/mib)
			select {
			case <-again.C:
			case <-stop:
				return
			}
		}
	}()
	return func() float64 {
		t.Helper()
		close(stop)
		<-ended
		if failed != nil {
			t.Fatal(failed)
		}
		return highest
	}
}
