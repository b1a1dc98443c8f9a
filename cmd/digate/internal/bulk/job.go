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
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/digate/digate/cmd/digate/internal/file"
	"github.com/digate/digate/cmd/digate/internal/term"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/internal/durable"
)

// jobSuffix follows the name of the input in the name of its job's file.
const jobSuffix = ".digate-job"

const (
	// jobVersion is that of a job whose file has its rows. Version 0 has none.
	jobVersion = 1
	// maxJobHeader bounds the first value of a job's file, in bytes.
	maxJobHeader = 64 << 10
)

// job knows the rows that its runs sent, and what became of each. It holds no
// secret.
//
// Its file begins with the job itself. Then come lines, and each run only adds
// some: the promise of a run, the rows that it is about to send, and what became
// of a row. A row is in the file, durably, before it is sent. A line that says
// what became of a row may get lost, because the ledger knows it too. So a file
// that was cut off anywhere behind its first value can be gone on with.
type job struct {
	ID      uuid.UUID `json:"job"`
	Version int       `json:"version,omitempty"`
	Input   string    `json:"input"`
	promise

	path     string
	file     *os.File // nil before the job is kept
	promises []promise
	// known is how many promises earlier runs left in the file.
	known int
	// hadRows says that they left rows in the file.
	hadRows bool

	mu      sync.Mutex
	entries []*entry
	index   map[uuid.UUID]*entry
	texts   map[string]string
	rekeyed []jobLine // keys that rows got since
	broke   error     // why no more lines can be added
}

// entry is what a job knows of one row.
type entry struct {
	id   uuid.UUID
	line int32 // in the present input, or in the last one that had it
	// promise is the index of the promise under which the row was first sent.
	promise int32
	state   rowState
	seen    bool // in the present input
	now     bool // made by this run
	dropped bool // gone from the input, and nobody needs to be asked about it
	name    string
	key     string
	made    string    // id of the integration
	missing string    // what the integration lacked when it was made
	as      uuid.UUID // the earlier form of the row, whose integration is this row's
}

// rowState is how far a row came.
type rowState uint8

const (
	rowNew   rowState = iota // of this input, and not in the file
	rowOpen                  // may have been sent
	rowMade                  // has its integration
	rowNone                  // surely has none
	rowDoubt                 // may have one; the ledger does not know
)

// isFresh reports whether the row is in the input, and new to the job.
func (e *entry) isFresh() bool { return e.seen && e.state == rowNew && e.as == uuid.Nil }

// mayBeMade reports whether the row may have an integration.
func (e *entry) mayBeMade() bool {
	return e.state == rowMade || e.state == rowOpen || e.state == rowDoubt
}

// jobLine is a line of a job's file.
type jobLine struct {
	Promise *promise  `json:"promise,omitempty"`
	Row     uuid.UUID `json:"row,omitzero"`
	Line    int32     `json:"line,omitempty"`
	Name    string    `json:"name,omitempty"`
	Key     string    `json:"key,omitempty"`
	As      uuid.UUID `json:"as,omitzero"`
	State   string    `json:"state,omitempty"`
	Made    string    `json:"integration_id,omitempty"`
	Missing string    `json:"missing,omitempty"`
}

// The states of a line.
const (
	lineSent    = "sent" // from now on the row may have been sent
	lineMade    = "made"
	lineNone    = "none"
	lineDoubt   = "doubt"
	lineDropped = "dropped"
)

// newJob returns the job of a first run. It is not kept before begin.
func newJob(input, path string) *job {
	return &job{ID: uuid.New(), Version: jobVersion, Input: filepath.Base(input), path: path, index: make(map[uuid.UUID]*entry)}
}

// begin keeps a new job, durably: no copy may be sent under a request id that a
// crash could lose. A file that exists already is an error.
func (j *job) begin(p promise) error {
	j.promise, j.promises = p, []promise{p}
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	switch err := durable.Create(j.path, append(b, '\n')); {
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
		return nil, os.Remove(path)
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
		return fmt.Errorf("%s is not the file of a job, or was cut short.\nIf neither the results nor `digate integrations list` show a copy that its run made, remove the file and run again. %s", j.path, insteadOfResuming)
	}
	if j.Version > jobVersion {
		return fmt.Errorf("%s is of a later version of digate: go on with that version", j.path)
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
		e.as = line.As
	}
	switch line.State {
	case lineSent:
		// What an earlier run sent keeps its promise.
		if e.state == rowNew || e.state == rowNone {
			e.state, e.promise = rowOpen, int32(len(j.promises)-1)
		}
		e.dropped = false
	case lineMade:
		e.state, e.made, e.missing = rowMade, line.Made, j.once(line.Missing)
	case lineNone:
		e.state = rowNone
	case lineDoubt:
		e.state = rowDoubt
	case lineDropped:
		e.dropped = true
	}
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

// knows reports whether every row that was sent is in the file. The runs of an
// earlier version put none into it.
func (j *job) knows() bool { return j.Version > 0 }

// knowsRows reports whether rows are in the file that an earlier run sent, or that
// none was sent.
func (j *job) knowsRows() bool { return j.knows() || j.hadRows }

// earlierForm returns the row whose integration is this row's, or nil.
func (j *job) earlierForm(e *entry) *entry {
	if e.as == uuid.Nil {
		return nil
	}
	return j.index[e.as]
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
		e.state, e.promise, e.dropped = rowOpen, int32(len(j.promises)-1), false
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

// resumable returns why a job cannot be gone on with, or nil if it can. A job
// that does not know its rows ends with its promise: to go on could create copies
// a second time.
func (j *job) resumable(l *digatev1.GetLedgerResponse, now time.Time) error {
	if err := j.of(l); err != nil {
		return err
	}
	j.shorten(l)
	for i := range j.promises {
		j.promises[i].shorten(l)
	}
	if err := j.inTheFuture(now); err != nil {
		return err
	}
	if !j.knows() && j.expired(now) {
		return fmt.Errorf("the job was begun at %s, and the ledger forgets what was done after %v: to go on could create copies a second time.\n%s",
			stamp(j.Created), j.retention(), insteadOfResuming)
	}
	return nil
}

// jobPath returns the path of the job's file.
func (c *Command) jobPath(regular bool) (string, error) {
	switch {
	case c.Job != "":
		return c.Job, nil
	case file.IsDirectory(c.File):
		return "", fmt.Errorf("%s is a directory", c.File)
	case !regular:
		return "", errors.New("--job: name a file to keep the job in, so that it can be resumed; the input is not a file that it could be kept beside")
	}
	return c.File + jobSuffix, nil
}

// setAside renames the file of a job, so that --new-job loses nothing.
func setAside(path string) (aside string, err error) {
	for n := 1; ; n++ {
		aside = fmt.Sprintf("%s.old-%d", path, n)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(path, aside); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return aside, nil
}

// openJob reads the job to go on with, or returns a new one that is not kept yet.
func (c *Command) openJob(path string, in *input, say func(string)) (*job, error) {
	if c.NewJob {
		if err := c.setResultsAside(in, say); err != nil {
			return nil, err
		}
		aside, err := setAside(path)
		if err != nil {
			return nil, err
		}
		if aside != "" {
			say("the earlier job is kept in " + term.Printable(aside))
		}
	}
	j, err := resumeJob(path)
	if j != nil || err != nil {
		return j, err
	}
	if results := c.results(in); !c.NewJob && results != "" && file.IsRegular(results) && isResults(results) {
		return nil, fmt.Errorf("%s has results of an earlier job, and the file of that job, %s, is gone.\nPut it back, so that nothing is made twice; or make everything again with --new-job", term.Printable(results), term.Printable(path))
	}
	return newJob(c.File, path), nil
}

// promised returns what the ledger promises to this run. A job that is not the
// ledger's cannot be gone on with.
func (c *Command) promised(j *job, conn *connection) (promise, error) {
	now := time.Now()
	if j.file != nil {
		if err := j.resumable(conn.ledger, now); err != nil {
			return promise{}, err
		}
	}
	return newPromise(c.Addr, conn.ledger, now), nil
}

// keep makes sure that the job has a file.
func (c *Command) keep(j *job, conn *connection, now promise, p *progress) error {
	if j.file != nil {
		p.say(fmt.Sprintf("the job of %s goes on, kept in %s", stamp(j.Created), term.Printable(j.path)))
		if !j.knowsRows() {
			p.say("It is of an earlier version and does not know its rows:\na row that was changed since is copied anew.")
		}
		return nil
	}
	if err := j.begin(now); err != nil {
		return err
	}
	p.say(fmt.Sprintf("the job is kept in %s\nit can be gone on with until %s", term.Printable(j.path), stamp(now.expiry())))
	if !conn.ledger.GetDurable() {
		p.say("The server keeps its ledger in memory:\nafter a restart of the server, the job cannot be resumed.")
	}
	return nil
}

// allMade reports whether so many rows of the input are all made.
func (j *job) allMade(rows int) bool {
	made := 0
	for _, e := range j.entries {
		was := j.earlierForm(e)
		if e.seen && (e.state == rowMade || was != nil && was.state == rowMade) {
			made++
		}
	}
	return made == rows
}

// toSend returns the rows of the input that no run sent yet, without those whose
// copies would lack something.
func (j *job) toSend(lacking map[*entry]string) (rows []*entry) {
	for _, e := range j.entries {
		if _, lacks := lacking[e]; e.seen && !lacks && e.as == uuid.Nil && (e.state == rowNew || e.state == rowNone) {
			rows = append(rows, e)
		}
	}
	return rows
}
