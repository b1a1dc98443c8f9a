package rolling

import (
	"flag"
	"testing"

	"github.com/digate/digate/test/rig"
)

var (
	rounds = flag.Int("rolling.rounds", 1, "how many times each replica is restarted")
	delay  = flag.Duration("rolling.delay", 0, "drain delay of the replicas; 0 is until the balancers know and each client has called again")
)

func TestMain(m *testing.M) {
	flag.Parse()
	rig.Main(m, 0)
}
