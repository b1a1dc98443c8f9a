package crash

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"github.com/digate/digate/test/rig"
)

var (
	items  = flag.Int("crash.items", 120, "items of each scene's bulk run")
	rounds = flag.Int("crash.rounds", 2, "kills per scene")
	seed   = flag.Uint64("crash.seed", 0, "seed of what happens when; 0 takes one from the clock")
	ready  = flag.String("crash.digate", "", "digate `binary` to put to the test, instead of building it")
	logs   = flag.String("crash.logs", "", "`directory` that keeps the logs of digate")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	rig.Main(m, 8) // the scenes mostly wait for leases to run out
}

// digate returns the path of the binary that is put to the test.
func digate() (string, error) {
	if *ready != "" {
		return filepath.Abs(*ready)
	}
	return rig.Digate()
}
