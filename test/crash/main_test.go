package crash

import (
	"flag"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/digate/digate/test/rig"
)

var (
	items     = flag.Int("crash.items", 120, "items of each scene's bulk run")
	rounds    = flag.Int("crash.rounds", 2, "kills per scene")
	seed      = flag.Uint64("crash.seed", 0, "seed of what happens when; 0 takes one from the clock")
	ready     = flag.String("crash.digate", "", "digate `binary` to put to the test, instead of building it")
	logs      = flag.String("crash.logs", "", "`directory` that keeps the logs of digate")
	binaryDir string
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	rig.Main(m, &binaryDir, 8) // the scenes mostly wait for leases to run out
}

// binary is a digate of this tree, with the race detector on where the test's
// is.
var binary = sync.OnceValues(func() (string, error) {
	if *ready != "" {
		return filepath.Abs(*ready)
	}
	path := filepath.Join(binaryDir, "digate")
	return path, rig.Build(path, rig.Race)
})
