package bulk

import (
	"bytes"
	"strings"

	"github.com/google/uuid"
)

// entry is what a job knows of one row.
type entry struct {
	id   uuid.UUID
	line int32 // in the present input, or in the last one that had it
	// promise is the index of the promise under which the row was first sent.
	promise  int32
	state    rowState
	decision decision
	seen     bool // in the present input
	name     string
	key      string
	made     string // id of the integration
	missing  string // what the integration lacked when it was made
	// other is the other form of a row that was changed: the earlier one of a row
	// that is skipped, and the later one of a row that is replaced.
	other uuid.UUID
}

// rowState is how far a row came.
type rowState uint8

const (
	rowNew     rowState = iota // of this input, and not in the file
	rowOpen                    // may have been sent
	rowMade                    // has its integration, of an earlier run
	rowMadeNow                 // has its integration, of this run
	rowNone                    // surely has none
	rowDoubt                   // may have one; the ledger does not know
	rowThere                   // is left as Diga has it already
	rowHeld                    // is at Diga already, and nobody said what to do; not in the file
)

// decision is what the person said about a row that was changed or is gone.
type decision uint8

const (
	undecided decision = iota // nothing: the row is copied for itself
	skipped                   // what the row made in its earlier form is what it makes
	replaced                  // the row is copied in its later form too
	dropped                   // the row is gone from the input for good
)

// isMade reports whether the row has its integration.
func (e *entry) isMade() bool {
	return e.state == rowMade || e.state == rowMadeNow || e.state == rowThere
}

// mayBeMade reports whether the row may have an integration.
func (e *entry) mayBeMade() bool {
	return e.isMade() || e.state == rowOpen || e.state == rowDoubt
}

// isGone reports whether the row may have an integration, is not in the input, and
// the person has not said so yet.
func (e *entry) isGone() bool {
	return !e.seen && e.mayBeMade() && e.decision != replaced && e.decision != dropped
}

// entry returns what the job knows of a row. A row that it does not know is new.
func (j *job) entry(id uuid.UUID) *entry {
	e := j.index[id]
	if e == nil {
		e = &entry{id: id}
		j.entries = append(j.entries, e)
		j.index[id] = e
	}
	return e
}

// once returns the same text in memory for equal texts, of which there are few.
func (j *job) once(text string) string {
	if text == "" {
		return ""
	}
	if j.texts == nil {
		j.texts = make(map[string]string)
	}
	if j.texts[text] == "" {
		j.texts[text] = text
	}
	return j.texts[text]
}

// find returns what the job knows of a row with a request id, or nil.
func (j *job) find(requestID string) *entry {
	id, err := uuid.Parse(requestID)
	if err != nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.index[id]
}

// see notes that a row is in the present input.
func (j *job) see(r *row) *entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.entry(uuid.MustParse(r.copy.GetRequestId()))
	e.seen, e.line = true, int32(r.line)
	if name := shortName(r.copy.GetName()); e.name != name {
		e.name = strings.Clone(name) // else the whole row would stay in memory
	}
	if e.key != r.key {
		e.key = strings.Clone(r.key)
		if e.state != rowNew {
			j.rekeyed = append(j.rekeyed, jobLine{Row: e.id, Key: e.key})
		}
	}
	return e
}

// maxName bounds the name of a row that a job keeps, in bytes.
const maxName = 200

func shortName(name string) string {
	if len(name) <= maxName {
		return name
	}
	return string(bytes.ToValidUTF8([]byte(name[:maxName]), nil))
}

// sentBefore returns the promise under which an earlier run may have sent a row,
// or nil if no run did.
func (j *job) sentBefore(e *entry) *promise {
	j.mu.Lock()
	defer j.mu.Unlock()
	if (e.state == rowOpen || e.state == rowDoubt) && int(e.promise) < j.known {
		return &j.promises[e.promise]
	}
	return nil
}

// allMade reports whether so many rows of the input are all made.
func (j *job) allMade(rows int) bool {
	made := 0
	for _, e := range j.entries {
		if e.seen && j.maker(e).isMade() {
			made++
		}
	}
	return made == rows
}

// toSend returns the rows of the input that no run sent yet, without those whose
// copies would lack something.
func (j *job) toSend(lacking map[*entry]string) (rows []*entry) {
	for _, e := range j.entries {
		if _, lacks := lacking[e]; e.seen && !lacks && j.makesItself(e) && (e.state == rowNew || e.state == rowNone) {
			rows = append(rows, e)
		}
	}
	return rows
}
