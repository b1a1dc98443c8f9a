package bulk

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/test/await"
)

// What is done before anything is sent may last, even if nothing comes of it: a
// terminal shows it within two seconds, and that it goes on.
func TestPrepare_LastsLong_IsShownOnATerminalUntilItEnds(t *testing.T) {
	for name, row := range map[string]struct {
		columns int
		lasts   time.Duration
		want    string
	}{
		"short":              {80, 900 * time.Millisecond, ""},
		"on a terminal":      {80, 1300 * time.Millisecond, "\rreading, 1s\x1b[K\rreading, 1s\x1b[K\r\x1b[K"},
		"on a narrow one":    {8, 1100 * time.Millisecond, "\rreadin…\x1b[K\r\x1b[K"},
		"without one":        {0, 11 * time.Second, "reading, 5s\nreading, 10s\n"},
		"without, and brief": {0, 4 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := new(await.Transcript)
				p := &progress{w: out, columns: func() int { return row.columns }}
				stopOuter := p.prepare(func() string { return "outer" })
				stop := p.prepare(func() string { return "reading" })
				time.Sleep(row.lasts)
				synctest.Wait()
				stop()
				stopOuter()
				if got := out.String(); got != row.want {
					t.Errorf("%q, want %q", got, row.want)
				}
			})
		})
	}
}
