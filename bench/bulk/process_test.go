package bulk

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/digate/digate/test/rig"
)

const mib = 1 << 20

// memory is the most that a process had in memory at once, in MiB.
func memory(t *testing.T, pid int) float64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("what a process needs is read from /proc: %v", err)
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, err := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))))
			if err != nil {
				t.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	t.Fatal("/proc has no VmHWM")
	return 0
}

// admin is what the server says on its admin listener.
func admin(s *rig.Server, path string) ([]byte, error) {
	transport := &http.Transport{DisableKeepAlives: true} // nothing stays open behind a test
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	resp, err := client.Get("http://" + s.Admin + path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// metric is the value of a metric without labels.
func metric(s *rig.Server, name string) (float64, error) {
	b, err := admin(s, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if value, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			return strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}

// processor is the time of a processor that the server has used.
func processor(t *testing.T, s *rig.Server) time.Duration {
	t.Helper()
	seconds, err := metric(s, "process_cpu_seconds_total")
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(seconds * float64(time.Second))
}

// live is what the server's heap holds once all is collected that can be, in
// bytes. Pools give up what they hold at the second collection.
func live(t *testing.T, s *rig.Server) float64 {
	t.Helper()
	for range 2 {
		if _, err := admin(s, "/debug/pprof/heap?gc=1"); err != nil {
			t.Fatal(err)
		}
	}
	b, err := metric(s, "go_memstats_heap_alloc_bytes")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// watchHeap looks at the server's heap all the time. What it returns ends that,
// and says the most that was in use, in MiB.
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
			if b, failed = metric(s, "go_memstats_heap_inuse_bytes"); failed != nil {
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
