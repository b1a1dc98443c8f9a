package bulk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// maxShownRows bounds the failures that are shown on stderr. The results have
// all of them.
const maxShownRows = 10

// toSettle is behind the message of a row in doubt, before a command line.
const toSettle = "; to see and settle it: "

// report takes the result of each row. It adds it to the results, counts it, and
// shows the first failures on stderr.
type report struct {
	*progress
	results results
	// stop ends the run if the results cannot be written.
	stop context.CancelCauseFunc
	// look returns the command line that shows a copy in doubt.
	look func(requestID string) string

	shown int
	broke error // why the results cannot be written
	worst int   // exit code
	// remedies counts the rows that are not surely made, by what can be done.
	remedies [remedies]int
}

// result takes the only result of a row.
func (r *report) result(res rowResult) {
	short := res.Message
	if res.Outcome != rowDone && res.Outcome != rowReplayed && res.Outcome != rowExisting {
		r.remedies[res.remedy()]++
	}
	r.update(func(c *counts) {
		if res.Missing != "" && res.IntegrationID != "" {
			c.unfinished++
		}
		if res.Reason == reasonChanged && res.IntegrationID != "" {
			c.asBefore++
		}
		switch res.Outcome {
		case rowExisting:
			c.existing++
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
			if res.Reason != reasonNoResponse && res.Reason != reasonRetentionPassed {
				res.Message += toSettle + r.look(res.RequestID)
			}
		}
	})
	if r.broke == nil {
		if r.broke = r.results.add(res); r.broke != nil {
			r.broke = fmt.Errorf("the results cannot be written: %w", r.broke)
			r.stop(r.broke)
		}
	}
	if res.Code == "" || res.Outcome == rowReplayed || res.Reason == reasonNotBegun || res.Reason == reasonUnfinished {
		return
	}
	if r.shown++; r.shown <= maxShownRows {
		r.sayLine(failureLine(res, short))
	} else if r.shown == maxShownRows+1 {
		r.say("More such rows are in the results alone.")
	}
}

// failureLine says in one line what became of a row.
func failureLine(res rowResult, message string) string {
	of := fmt.Sprintf("line %d", res.Line)
	for _, name := range []string{res.Key, res.Name} {
		if name != "" {
			of += ", " + term.Cut(name, maxShownName)
		}
	}
	if res.Outcome == rowUnknown {
		message, _, _ = strings.Cut(message, ";") // what follows is said once, for all
		if res.Code == "ABORTED" && res.Reason == "OUTCOME_UNKNOWN" {
			message = "nobody knows yet whether it was made"
		}
	}
	return term.Printable(fmt.Sprintf("%s: %s: %s", of, words[res.Outcome], message))
}

// maxShownName bounds the name of a row in a line, in columns.
const maxShownName = 24

func (r *report) underWay(n int) {
	r.update(func(c *counts) { c.underWay = n })
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
	text := fmt.Sprintf("%s in %v: %d made", rowCount(c.finished()), longTime(took), c.done)
	if c.replayed > 0 {
		text += fmt.Sprintf(" (%d of them by an earlier run)", c.replayed)
	}
	text = strings.Join(append([]string{text}, c.others()...), ", ")
	if c.asBefore > 0 {
		text += fmt.Sprintf("\n%d %s", c.asBefore, plural(c.asBefore, "row was changed after it was made: its integration is as it was before", "rows were changed after they were made: their integrations are as before"))
	}
	if c.unfinished > 0 {
		text += fmt.Sprintf("\n%d %s setup: the results say which, and what is missing", c.unfinished, plural(c.unfinished, "integration still needs", "integrations still need"))
	}
	return text
}

func rowCount(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}
