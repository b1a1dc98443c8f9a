package bulk

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
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

// Whatever ends a run before it sent anything, it says that nothing was sent.
func TestBulk_EndsBeforeItSends_SaysThatNothingWasSent(t *testing.T) {
	for _, read := range []string{"list", "template"} {
		for name, row := range map[string]struct {
			args []string
			code int
			want string
		}{
			"interrupt":         {nil, client.ExitFailed, "interrupted: nothing was sent\n"},
			"time limit":        {[]string{"--timeout", "1s"}, client.ExitNotSent, "nothing was sent: --timeout has passed\n"},
			"limit of dry runs": {[]string{"--timeout", "1s", "--dry-run"}, client.ExitNotSent, "nothing was sent: --timeout has passed\n"},
		} {
			t.Run(read+", "+name, func(t *testing.T) {
				s := serve(t)
				ctx, interrupt := context.WithCancel(t.Context())
				defer interrupt()
				s.stuck = func(stuck context.Context, what string) {
					if what != read {
						return
					}
					if row.args == nil {
						interrupt()
					}
					<-stuck.Done()
				}
				file := clitest.WriteFile(t, "shops.csv", named("a"))
				var out, errs bytes.Buffer
				code := runCommand(ctx, append([]string{"bulk", file, "--addr", s.addr}, row.args...), term.IO{In: nil, Out: &out, Err: &errs})
				if code != row.code || !strings.Contains(errs.String(), row.want) || strings.Contains(errs.String(), "could not be read") || len(s.order) > 0 {
					t.Errorf("%d: %s%s", code, out.String(), errs.String())
				}
			})
		}
	}
}
