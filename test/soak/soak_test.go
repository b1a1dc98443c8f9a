package soak

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/test/rig"
)

var (
	calls  = flag.Int("soak.calls", 200, "calls per mix")
	seed   = flag.Uint64("soak.seed", 0, "seed of the script; 0 takes one from the clock")
	atOnce = flag.Int("soak.at-once", 0, "calls under way at the same time; 0 is 48, or 256 in the long form")
	ready  = flag.String("soak.digate", "", "digate `binary` to put to the test, instead of building it")
	logs   = flag.String("soak.logs", "", "`directory` that keeps the logs of digate")
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Short runs mostly wait. Long ones are busy, and would make each other's callers
	// run out of time.
	together := 4
	if *calls >= long {
		together = 2
	}
	rig.Main(m, together)
}

// digate returns the path of the binary that is put to the test.
func digate() (string, error) {
	if *ready != "" {
		return filepath.Abs(*ready)
	}
	return rig.Digate()
}

// TestSoak_EveryMix_KeepsThePromise runs each mix and fails on each violation.
func TestSoak_EveryMix_KeepsThePromise(t *testing.T) {
	path, err := digate()
	if err != nil {
		t.Fatal(err)
	}
	s := settings{binary: path, calls: *calls, seed: *seed, atOnce: *atOnce, dir: t.TempDir()}
	if *logs != "" {
		s.dir = *logs
	}
	if s.seed == 0 {
		s.seed = uint64(time.Now().UnixNano())
	}
	if s.atOnce == 0 {
		s.atOnce = 48
		if s.calls >= long {
			s.atOnce = 256
		}
	}
	fmt.Printf("seed %d, %d calls per mix, %d at once\n", s.seed, s.calls, s.atOnce)
	results := make([]*result, len(mixes))
	t.Run("mix", func(t *testing.T) {
		for i, m := range mixes {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				res, err := run(s, m)
				if err != nil {
					t.Fatalf("seed %d: %v", s.seed, err)
				}
				results[i] = &res
				for _, v := range res.violations[:min(len(res.violations), 20)] {
					t.Errorf("seed %d: %s", s.seed, v)
				}
				for _, f := range res.footprints {
					t.Log(f)
				}
			})
		}
	})
	var table strings.Builder
	table.WriteString(resultHead)
	for _, res := range results {
		if res != nil {
			table.WriteString(res.row())
		}
	}
	fmt.Print(table.String())
}
