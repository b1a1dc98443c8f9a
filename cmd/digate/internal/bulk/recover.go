package bulk

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// recover puts rows into the job that its file lost, and that the results of a run
// name: the file was cut off, or an older one was put in its place. Without them the
// rows would count as new once the ledger has forgotten them. Results of which the job
// knows no row are another job's: recover returns an error rather than let them be
// replaced.
func (c *Command) recover(j *job, say func(string)) error {
	if len(j.promises) == 0 || !j.knowsRows() {
		return nil
	}
	written, err := readResults(c.resultsFile())
	if err != nil || written == nil {
		return nil // what no run wrote says nothing of the job
	}
	lost, known := j.lostRows(written.rows)
	switch path := term.Printable(written.path); {
	case len(lost) == 0:
		return nil
	case known == 0 && c.Results == "":
		return fmt.Errorf("%w: %s names %s\nthat the job in %s does not know.\nThat file is of another job, or was cut off: put the right one back.\n--results names another file for the results, --new-job begins a new job",
			errNothingSent, path, rowCount(len(lost)), term.Printable(j.path))
	case known == 0:
		return nil // one file may take the results of several jobs
	default:
		say(fmt.Sprintf("the job's file is cut off or older than the results:\n%s %s taken from %s", rowCount(len(lost)), plural(len(lost), "was", "were"), path))
	}
	for _, line := range lost {
		j.record(line)
	}
	return nil
}

// lostRows returns what the file of the job lost, as lines of the file: rows with results
// that were or may have been made, and that rows were made. It also returns how many results are of
// rows that the job or the input has.
func (j *job) lostRows(written []rowResult) (lost []jobLine, known int) {
	states := map[string]string{rowDone: lineMade, rowReplayed: lineMade, rowExisting: lineThere, rowUnknown: lineDoubt}
	for _, res := range written {
		id, err := uuid.Parse(res.RequestID)
		if err != nil || states[res.Outcome] == "" {
			continue
		}
		line := jobLine{Row: id, Line: int32(res.Line), Name: res.Name, Key: res.Key, State: states[res.Outcome], Made: res.IntegrationID, Missing: res.Missing}
		e := j.index[id]
		if e != nil {
			known++
			line.Line, line.Name, line.Key = e.line, e.name, e.key
		}
		if e == nil || e.decision == undecided && (e.state == rowNew || states[res.Outcome] == lineMade && !e.isMade()) {
			lost = append(lost, line)
		}
	}
	return lost, known
}
