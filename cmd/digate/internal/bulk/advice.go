package bulk

import (
	"fmt"
	"io"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/apierror"
)

// remedy is what a person can do about a row that is not surely made.
type remedy uint8

const (
	runAgain remedy = iota // nothing but to run again
	runLater               // to run again in a while
	mend                   // to change the row
	complete               // to fill in what its copy would lack
	allow                  // to let the token make it
	choose                 // to say what happens to it with --existing
	settle                 // to say what became of it
	remedies = iota
)

// remedy returns what a person can do about a row that is not surely made.
func (r *rowResult) remedy() remedy {
	switch {
	case r.Outcome == rowUnknown && !r.mayEnd():
		return settle
	case r.Outcome == rowUnknown:
		return runAgain
	case r.Reason == reasonUnfinished:
		return complete
	case r.Reason == reasonExisting:
		return choose
	case r.Reason == apierror.ReasonRequestTooLarge:
		return mend
	}
	switch r.Code {
	case "UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED":
		return runLater
	case "CANCELLED", "ABORTED":
		return runAgain
	case "UNAUTHENTICATED", "PERMISSION_DENIED":
		return allow
	default:
		return mend
	}
}

// conclude writes how to go on, and returns the error that ends the process. why
// ended the run early, err ended the reading of the input; both may be nil.
func (c *Command) conclude(w io.Writer, rep *report, jobPath string, why, err error) error {
	if why != nil && why != errInterrupted && rep.broke == nil {
		term.Complain(w, why)
	}
	if rep.worst == client.ExitDone && why == nil && err == nil && rep.broke == nil {
		return nil
	}
	c.advise(w, rep, jobPath, why != nil || err != nil)
	switch {
	case rep.broke != nil:
		return rep.broke
	case err != nil:
		return err
	case rep.worst == client.ExitDone: // for the rows that were read, but not all were
		return client.ExitError(client.ExitNotSent)
	}
	return client.ExitError(rep.worst)
}

// advise writes what to do about the rows that are not surely made. early says that
// the run ended before all of them.
func (c *Command) advise(w io.Writer, rep *report, jobPath string, early bool) {
	n := &rep.remedies
	if n[settle] > 0 {
		fmt.Fprintf(w, "In doubt: %s. Another run does not send such a row again.\nTo settle what became of it:\n  %s\n", rowCount(n[settle]), term.Printable(c.settleLine(jobPath)))
	}
	first := true
	say := func(text string) {
		fmt.Fprintln(w, text)
		first = false
	}
	if n[mend] > 0 {
		say(fmt.Sprintf("To change in the file: %s. The results say what is wrong.", rowCount(n[mend])))
	}
	if n[complete] > 0 {
		say(fmt.Sprintf("To fill in: what %s %s, or --unfinished=allow makes them without it.", rowCount(n[complete]), plural(n[complete], "lacks", "lack")))
	}
	if n[choose] > 0 {
		say(fmt.Sprintf("At Diga already: %s. --existing=skip leaves them so, --existing=copy makes others.", rowCount(n[choose])))
	}
	if n[allow] > 0 {
		say(fmt.Sprintf("Not allowed: %s. Ask for the rights of this token at Diga.", rowCount(n[allow])))
	}
	if n[runLater] > 0 {
		say(fmt.Sprintf("Not possible just now: %s. Wait some minutes.", rowCount(n[runLater])))
	}
	same := ""
	if c.File == "-" {
		same = " with the same input"
	}
	again := term.Printable(c.again(jobPath))
	switch {
	case rep.broke != nil && rep.worst == client.ExitDone && !early:
		fmt.Fprintf(w, "To write the results%s:\n  %s\n", same, again)
	case rep.broke != nil:
		fmt.Fprintf(w, "To write the results of all rows, and to continue with rows that are not made%s:\n  %s\n", same, again)
	case !first:
		fmt.Fprintf(w, "Then run again%s; what is made is not made twice:\n  %s\n", same, again)
	case early || n[runAgain] > 0:
		fmt.Fprintf(w, "To continue with the rows that are not made%s:\n  %s\n", same, again)
	}
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}
