package clients

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// While digates are replaced one after another, behind a balancer of connections,
// every call of a busy client is done or has a verdict.
func TestDrain_UnderLoad_EveryCallHasItsVerdict(t *testing.T) {
	each(t, nil, func(t *testing.T, c client) {
		const drains, between = 4, 1500 * time.Millisecond
		up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, _ int) { template(w) })
		next := func() *rig.Server {
			path, err := rig.Build("cmd/digate", false)
			if err != nil {
				t.Fatal(err)
			}
			s, err := rig.Serve(path, filepath.Join(t.TempDir(), "log"), "--upstream-url", up.URL)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		running := next()
		b := newBalancer(t, running.GRPC)
		p := plan{Address: b.address(), Calls: []call{newCall(t, "GetTemplate", get())}, Load: &load{Workers: 50, MS: int((drains + 1) * between / time.Millisecond)}}
		driver := c.drive(t, p)
		await.Value(t, b.connected, "the client")
		for range drains {
			time.Sleep(between)
			old := running
			running = next()
			b.turn(running.GRPC)
			if err := old.Stop(); err != nil {
				t.Error(err)
			}
		}
		ends := driver.next(t).Ends
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
		c.report(t, ends, drains)
	})
}

// A connection that ends because of its age loses no call either.
func TestConnectionAge_UnderLoad_EveryCallHasItsVerdict(t *testing.T) {
	each(t, nil, func(t *testing.T, c client) {
		up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, _ int) { template(w) })
		d := serve(t, up.URL, "--grpc-max-connection-age", "1s")
		b := newBalancer(t, d.GRPC)
		driver := c.drive(t, plan{Address: b.address(), Calls: []call{newCall(t, "GetTemplate", get())}, Load: &load{Workers: 50, MS: 5000}})
		ends := driver.next(t).Ends
		connections := int(b.connections.Load())
		if connections < 3 {
			t.Errorf("the calls went over %d connections", connections)
		}
		c.report(t, ends, connections)
	})
}

// report prints how the calls of a load ended. The test fails if a call ended without
// a verdict, but for those that the library fails by itself: one for each connection
// that ended.
func (c client) report(t *testing.T, ends map[string]int, connections int) {
	t.Helper()
	total, lost := 0, 0
	var lines []string
	for _, end := range slices.Sorted(maps.Keys(ends)) {
		n := ends[end]
		total += n
		if strings.Contains(end, "without ErrorInfo") {
			lost += n
		}
		if c.cancels && end == "CANCELLED without ErrorInfo: operation was canceled" {
			lost -= min(n, connections)
		}
		lines = append(lines, fmt.Sprintf("%d %s", n, end))
	}
	t.Logf("%d calls, %d connections that ended: %s", total, connections, strings.Join(lines, "; "))
	if total < 100 || lost > 0 {
		t.Errorf("%d of %d calls ended without a verdict", lost, total)
	}
}
