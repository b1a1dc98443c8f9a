package abuse

import (
	"fmt"
	"os"
	"testing"

	"github.com/digate/digate/test/await"
)

// holdings are what a process has of things that it must give back.
type holdings struct {
	goroutines, files int // connections are files
}

// spare is how many more of each a process may have than before the attack: the callers
// opened connections of their own, and some to Diga were needed.
const spare = 20

// holds returns what a digate has.
func (s *target) holds(t *testing.T) (h holdings) {
	t.Helper()
	n, err := s.Metric("go_goroutines")
	must(t, err)
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	must(t, err)
	return holdings{int(n), len(all)}
}

// givesBack fails the test unless a digate gives back what it took since then.
func (s *target) givesBack(t *testing.T, before holdings) {
	t.Helper()
	if err := await.Poll(await.Patience, s.Ended(), func() error {
		if now := s.holds(t); now.goroutines > before.goroutines+2*spare || now.files > before.files+spare { // a connection to Diga has two
			return fmt.Errorf("it has %+v, and had %+v", now, before)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
