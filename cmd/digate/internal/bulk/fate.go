package bulk

import "strings"

// What became of a row is decided here. The results, the table of changes and the
// summary say what this file says.

// outcome returns what the job knows to have become of a row by itself, whatever
// other forms it has. It is empty for a row that surely made nothing.
func (e *entry) outcome() string {
	switch e.state {
	case rowMade:
		return rowReplayed
	case rowMadeNow:
		return rowDone
	case rowThere:
		return rowExisting
	case rowOpen, rowDoubt:
		return rowUnknown
	default:
		return ""
	}
}

// maker returns the row that made, or may have made, the integration of a row: the
// row itself, or its earlier form if the person said to skip the change. An earlier
// form that made nothing, or is in the input again, is another row.
func (j *job) maker(e *entry) *entry {
	if e.decision != skipped {
		return e
	}
	if was := j.index[e.other]; was != nil && was.mayBeMade() && !was.seen {
		return was
	}
	return e
}

// makesItself reports whether a row is copied for itself.
func (j *job) makesItself(e *entry) bool { return j.maker(e) == e }

// isFresh reports whether the row is in the input, and new to the job.
func (j *job) isFresh(e *entry) bool { return e.seen && e.state == rowNew && j.makesItself(e) }

// earlierForms returns the rows whose integrations are those of rows of the input
// that have changed since.
func (j *job) earlierForms() map[*entry]bool {
	forms := make(map[*entry]bool)
	for _, e := range j.entries {
		if e.seen && !j.makesItself(e) {
			forms[j.maker(e)] = true
		}
	}
	return forms
}

// fate returns what became of a row, as far as the job knows it.
func (j *job) fate(e *entry) rowResult {
	by := j.maker(e)
	res := rowResult{
		Line: int(e.line), Key: e.key, Name: e.name, RequestID: by.id.String(),
		Outcome: by.outcome(), IntegrationID: by.made, Missing: by.missing,
	}
	inDoubt := res.Outcome == rowUnknown
	switch {
	case by != e:
		res.Reason, res.Message = reasonChanged, madeBefore
		if inDoubt {
			res.Message = mayBeMadeBefore
		}
	case e.seen && e.state == rowThere:
		res.Message = "Diga had an integration of this name already, and --existing=skip left it so"
	case e.seen:
	case e.decision == replaced:
		res.Line, res.Reason, res.Message = 0, reasonChanged, madeAgain
		if inDoubt {
			res.Message = mayBeMadeAgain
		}
	default:
		res.Line, res.Reason, res.Message = 0, reasonGone, notInTheFile
	}
	if inDoubt {
		res.Code = "ABORTED"
	}
	return res
}

// What is said of a row that was changed or is gone.
const (
	madeBefore      = "made before the row was changed"
	mayBeMadeBefore = "may be made already, as it was before the row was changed"
	madeAgain       = "the row was changed and then made again; this is what it made before"
	mayBeMadeAgain  = "the row was changed and then made again; this is what it may have made before"
	notInTheFile    = "the row is not in the file any more"
)

// settled changes the result of a row in doubt to what became of it, once that is
// known: e is the row that made its integration, or nothing.
func (r *rowResult) settled(e *entry) {
	switch {
	case e.isMade():
		message := ""
		switch said, _, _ := strings.Cut(r.Message, toSettle); said {
		case mayBeMadeBefore:
			message = madeBefore
		case mayBeMadeAgain:
			message = madeAgain
		case notInTheFile:
			message = notInTheFile
		}
		r.Outcome, r.IntegrationID, r.Missing, r.Code, r.Message = e.outcome(), e.made, e.missing, "", message
		if message == "" {
			r.Reason = ""
		}
	case e.state == rowNone:
		r.Outcome, r.Code, r.Reason, r.Message = rowNotSent, "ABORTED", reasonNotCreated, "settled: it made nothing; the next run makes it"
	}
}
