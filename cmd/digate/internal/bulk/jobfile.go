package bulk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/internal/durable"
)

// maxJobHeader bounds the first value of a job's file, in bytes.
const maxJobHeader = 64 << 10

// jobLine is a line of a job's file.
type jobLine struct {
	Promise *promise  `json:"promise,omitempty"`
	Row     uuid.UUID `json:"row,omitzero"`
	Line    int32     `json:"line,omitempty"`
	Name    string    `json:"name,omitempty"`
	Key     string    `json:"key,omitempty"`
	As      uuid.UUID `json:"as,omitzero"` // the earlier form of a row that is skipped
	By      uuid.UUID `json:"by,omitzero"` // the later form of a row that is dropped
	State   string    `json:"state,omitempty"`
	Made    string    `json:"integration_id,omitempty"`
	Missing string    `json:"missing,omitempty"`

	now bool // made by this run
}

// The states of a line.
const (
	lineSent    = "sent" // from now on the row may have been sent
	lineMade    = "made"
	lineNone    = "none"
	lineDoubt   = "doubt"
	lineDropped = "dropped"
	lineThere   = "there" // left as Diga has it already
)

// create makes a file durable. A test lets it fail as file systems do.
var create = durable.Create

// begin keeps a new job, durably: no copy may be sent under a request id that a
// crash could lose. A file that exists already is an error.
func (j *job) begin(p promise) error {
	j.promise, j.promises = p, []promise{p}
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	switch err := create(j.path, append(b, '\n')); {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s appeared just now: somebody else runs the same input", j.path)
	case err != nil:
		_ = os.Remove(j.path) // nothing was sent
		return j.notKept(err)
	}
	return j.append()
}

// append opens the file to add lines, and keeps other runs off it.
func (j *job) append() error {
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return j.notWritten(err)
	}
	j.file = f
	if err := lock(f); err != nil {
		return fmt.Errorf("%s: %w", j.path, err)
	}
	return nil
}

func (j *job) notKept(err error) error {
	return fmt.Errorf("the job cannot be kept: %w.\nNothing was sent. --job FILE keeps the job in another place", err)
}

// notWritten is notKept for a job that is kept already: another place for it would
// be another job.
func (j *job) notWritten(err error) error {
	return fmt.Errorf("the job's file cannot be written: %w.\nNothing was sent. Go on once it can be", err)
}

// close closes the file. What was recorded of rows is durable then, as far as
// that is possible.
func (j *job) close() error {
	j.before.close()
	if j.file == nil {
		return nil
	}
	err := j.broke
	if err == nil {
		err = j.file.Sync()
	}
	return errors.Join(err, j.file.Close())
}

// resumeJob reads a job's file, and keeps other runs off it until close. It returns
// nil if there is no file, and if it is empty: then the first run ended before it
// sent anything.
func resumeJob(path string) (*job, error) {
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err == nil && info.Size() == 0 {
		if time.Since(info.ModTime()) < maxBegin {
			return nil, fmt.Errorf("%s is empty: another run begins just now, or failed to. Run again in %v", path, maxBegin)
		}
		return nil, nil
	}
	j := &job{path: path, index: make(map[uuid.UUID]*entry)}
	err := j.append()
	if err == nil {
		err = j.read()
	}
	if err == nil {
		if err = j.beginLine(); err != nil {
			err = j.notWritten(err)
		}
	}
	if err != nil {
		_ = j.close()
		return nil, err
	}
	return j, nil
}

// peekJob reads a job's file and changes nothing. It returns nil if there is no file,
// and if it is empty.
func peekJob(path string) (*job, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Size() == 0 {
		return nil, nil
	}
	j := &job{path: path, file: f, index: make(map[uuid.UUID]*entry)}
	err = j.read()
	j.file = nil
	return j, err
}

// maxBegin is how long the file of a job may be empty while its first run begins.
const maxBegin = 10 * time.Second

// read reads the job from its file.
func (j *job) read() error {
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(j.file, maxJobHeader)
	header, err := firstValue(r)
	if err != nil || json.Unmarshal(header, j) != nil || j.ID == uuid.Nil || j.check() != nil {
		return fmt.Errorf("%s is not the file of a job, or was cut short.\nIf neither the results nor `digate integrations list` show a copy that its run\nmade, remove the file and run again.\n%s", term.Printable(j.path), insteadOfResuming)
	}
	if j.Version > jobVersion {
		return fmt.Errorf("%s is of a later version of digate: use that version", j.path)
	}
	j.promises = []promise{j.promise}
	if err := j.readLines(r); err != nil {
		return err
	}
	j.known, j.hadRows = len(j.promises), len(j.entries) > 0
	return nil
}

// firstValue reads a JSON object. It may span lines, as that of version 0 does.
func firstValue(r *bufio.Reader) ([]byte, error) {
	var b []byte
	for len(b) <= maxJobHeader {
		line, err := r.ReadSlice('\n')
		b = append(b, line...)
		if errors.Is(err, bufio.ErrBufferFull) {
			break
		}
		if json.Valid(b) || err != nil {
			return b, nil
		}
	}
	return nil, errors.New("too large")
}

// readLines reads what the runs added. A line that is no line was cut off before
// anything followed from it.
func (j *job) readLines(r *bufio.Reader) error {
	for {
		b, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue // of a damaged file
		case err != nil:
			return err
		}
		var line jobLine
		if json.Unmarshal(bytes.TrimSpace(b), &line) == nil {
			j.take(line)
		}
	}
}

// take follows a line of the file.
func (j *job) take(line jobLine) {
	if line.Promise != nil && line.Promise.check() == nil {
		j.promises = append(j.promises, *line.Promise)
	}
	if line.Row == uuid.Nil {
		return
	}
	e := j.entry(line.Row)
	if line.Line > 0 {
		e.line, e.name = line.Line, line.Name
	}
	if line.Key != "" {
		e.key = line.Key
	}
	if line.As != uuid.Nil {
		e.decision, e.other = skipped, line.As
	}
	switch line.State {
	case lineSent:
		// What an earlier run sent keeps its promise.
		if e.state == rowNew || e.state == rowNone || e.state == rowThere {
			e.state, e.promise = rowOpen, int32(len(j.promises)-1)
		}
		e.decision = undecided
	case lineMade:
		e.state, e.made, e.missing = rowMade, line.Made, j.once(line.Missing)
		if line.now {
			e.state = rowMadeNow
		}
	case lineThere:
		e.state, e.made = rowThere, line.Made
	case lineNone:
		e.state = rowNone
	case lineDoubt:
		e.state = rowDoubt
	case lineDropped:
		if e.decision, e.other = dropped, line.By; line.By != uuid.Nil {
			e.decision = replaced
		}
	}
}

// plan adds the rows of the entries to the file, durably, before they are sent.
// Further lines come with them.
func (j *job) plan(p promise, entries []*entry, further []jobLine) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	further, j.rekeyed = append(j.rekeyed, further...), nil
	if !j.knows() {
		p = j.promise // the earlier version may have sent any of the rows
	}
	if len(entries)+len(further) == 0 {
		return nil
	}
	if j.broke != nil {
		return j.notWritten(j.broke)
	}
	b := bufio.NewWriterSize(j.file, 64<<10)
	enc := json.NewEncoder(b) // a failed write fails Flush too
	enc.SetEscapeHTML(false)
	if last := j.promises[len(j.promises)-1]; len(entries) > 0 && p != last {
		j.promises = append(j.promises, p)
		_ = enc.Encode(jobLine{Promise: &p})
	}
	for _, e := range entries {
		_ = enc.Encode(jobLine{Row: e.id, Line: e.line, Name: e.name, Key: e.key, State: lineSent})
	}
	for _, line := range further {
		_ = enc.Encode(line)
	}
	if j.broke = errors.Join(b.Flush(), j.file.Sync()); j.broke != nil {
		return j.notWritten(j.broke)
	}
	for _, e := range entries {
		e.state, e.promise, e.decision = rowOpen, int32(len(j.promises)-1), undecided
	}
	for _, line := range further {
		j.take(line)
	}
	return nil
}

// beginLine ends a line that was cut off, so that the next one is a line of its own.
func (j *job) beginLine() error {
	end, err := j.file.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := j.file.ReadAt(last, end-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = j.file.Write([]byte("\n"))
	return err
}

// record adds what became of a row. That it cannot be written is no failure: the
// ledger knows it too.
func (j *job) record(line jobLine) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.take(line)
	if j.file == nil || j.broke != nil {
		return
	}
	b, err := json.Marshal(line)
	if err == nil {
		_, err = j.file.Write(append(b, '\n'))
	}
	j.broke = err
}
