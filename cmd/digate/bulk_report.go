package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// maxShownRows bounds the failures that are shown one by one, and the copies in
// doubt; the results have them all.
const maxShownRows = 10

// bulkReport tells what came of the rows: in the results each of them, on stderr
// the first that failed and how far it is.
type bulkReport struct {
	*progress
	write resultWriter
	// stop ends the run when the results cannot be written.
	stop context.CancelCauseFunc
	// look is the command that shows a copy in doubt.
	look func(requestID string) string

	shown int
	broke error // of the results
	worst int   // exit code
}

// result takes the one result of a row.
func (r *bulkReport) result(result bulkResult) {
	known := false // to the ledger
	r.update(func(c *bulkCounts) {
		switch result.Outcome {
		case rowReplayed:
			c.replayed++
			fallthrough
		case rowDone:
			c.done++
		case rowNotSent:
			c.notSent++
			r.worst = max(r.worst, exitNotSent)
		case rowRejected:
			c.rejected++
			r.worst = max(r.worst, exitRejected)
		default:
			c.inDoubt++
			r.worst = max(r.worst, exitUnknown)
			known = result.Reason != reasonNoAnswer && result.Reason != reasonMayBeForgot
		}
	})
	if known {
		result.Message += "; to see and settle it: " + r.look(result.RequestID)
	}
	if r.broke == nil {
		if r.broke = r.write(result); r.broke != nil {
			r.broke = fmt.Errorf("the results cannot be written: %w", r.broke)
			r.stop(r.broke)
		}
	}
	if result.Code == "" || result.Outcome == rowReplayed || result.Reason == reasonNotBegun {
		return
	}
	if r.shown++; r.shown <= maxShownRows {
		r.say(fmt.Sprintf("line %d: %s: %s (%s)", result.Line, result.Outcome, printable(result.Message), printable(result.Reason)))
	} else if r.shown == maxShownRows+1 {
		r.say("Further failures stand in the results alone.")
	}
}

func (r *bulkReport) inFlight(n int) {
	r.update(func(c *bulkCounts) { c.inFlight = n })
}

// interrupted says that nothing new is begun.
func (r *bulkReport) interrupted(why error, pending int, grace time.Duration) {
	again := ""
	if errors.Is(why, errInterrupted) {
		again = " Ctrl-C again ends at once."
	}
	r.say(fmt.Sprintf("%v: nothing new is begun; up to %v for %d under way.%s", why, grace, pending, again))
}

// summary says in a line what came of all.
func (r *bulkReport) summary(took time.Duration) string {
	c := r.now()
	text := fmt.Sprintf("%s in %v: %d done", rowCount(c.finished()), longTime(took), c.done)
	if c.replayed > 0 {
		text += fmt.Sprintf(" (%d of them before this run)", c.replayed)
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
