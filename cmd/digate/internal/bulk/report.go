package bulk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// maxShownRows bounds the failures that are shown on stderr. The results have
// all of them.
const maxShownRows = 10

// report takes the result of each row. It writes it to the results, counts it,
// and shows the first failures on stderr.
type report struct {
	*progress
	write resultWriter
	// stop ends the run if the results cannot be written.
	stop context.CancelCauseFunc
	// look returns the command line that shows a copy in doubt.
	look func(requestID string) string

	shown int
	broke error // why the results cannot be written
	worst int   // exit code
	// unsettled counts the rows in doubt that another run leaves as they are.
	unsettled int
}

// result takes the only result of a row.
func (r *report) result(res rowResult) {
	r.update(func(c *counts) {
		switch res.Outcome {
		case rowReplayed:
			c.replayed++
			fallthrough
		case rowDone:
			c.done++
		case rowNotSent:
			c.notSent++
			r.worst = max(r.worst, client.ExitNotSent)
		case rowRejected:
			c.rejected++
			r.worst = max(r.worst, client.ExitRejected)
		default:
			c.inDoubt++
			r.worst = max(r.worst, client.ExitUnknown)
			if !res.mayEnd() {
				r.unsettled++
			}
			if res.Reason != reasonNoResponse && res.Reason != reasonRetentionPassed {
				res.Message += "; to see and settle it: " + r.look(res.RequestID)
			}
		}
	})
	if r.broke == nil {
		if r.broke = r.write(res); r.broke != nil {
			r.broke = fmt.Errorf("the results cannot be written: %w", r.broke)
			r.stop(r.broke)
		}
	}
	if res.Code == "" || res.Outcome == rowReplayed || res.Reason == reasonNotBegun {
		return
	}
	if r.shown++; r.shown <= maxShownRows {
		r.say(fmt.Sprintf("line %d: %s: %s (%s)", res.Line, res.Outcome, term.Printable(res.Message), term.Printable(res.Reason)))
	} else if r.shown == maxShownRows+1 {
		r.say("Further failures are only in the results.")
	}
}

func (r *report) inFlight(n int) {
	r.update(func(c *counts) { c.inFlight = n })
}

// interrupted says that no more rows are begun.
func (r *report) interrupted(why error, pending int, grace time.Duration) {
	again := ""
	if errors.Is(why, errInterrupted) {
		again = " Ctrl-C again ends at once."
	}
	r.say(fmt.Sprintf("%v: nothing new is begun; %d under way may take up to %v.%s", why, pending, grace, again))
}

// summary returns one line about the whole run.
func (r *report) summary(took time.Duration) string {
	c := r.current()
	text := fmt.Sprintf("%s in %v: %d done", rowCount(c.finished()), longTime(took), c.done)
	if c.replayed > 0 {
		text += fmt.Sprintf(" (%d of them by an earlier run)", c.replayed)
	}
	for _, part := range []struct {
		n    int
		what string
	}{{c.notSent, "not sent"}, {c.rejected, "rejected"}, {c.inDoubt, "in doubt"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return text
}

func rowCount(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}
