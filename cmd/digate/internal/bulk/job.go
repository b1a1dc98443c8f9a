package bulk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/digate/digate/cmd/digate/internal/file"
	"github.com/digate/digate/cmd/digate/internal/term"
	digatev1 "github.com/digate/digate/gen/digate/v1"
)

// jobSuffix follows the name of the input in the name of its job's file.
const jobSuffix = ".digate-job"

// jobVersion is that of a job whose file has its rows. Version 0 has none.
const jobVersion = 1

// job knows the rows that its runs sent, and what became of each. It holds no
// secret.
//
// Its file begins with the job itself. Then come lines, and each run only adds
// some: the promise of a run, the rows that it is about to send, and what became
// of a row. A row is in the file, durably, before it is sent. A line that says
// what became of a row may get lost, because the ledger knows it too. So a file
// that was cut off anywhere after its first value can be resumed.
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

	// elsewhere are the integrations that other jobs made of rows of the input, by
	// line.
	elsewhere map[int32]string
	// before is the job whose place this one takes with --new-job, or nil.
	before *replacedJob
}

// newJob returns the job of a first run. It is not kept before begin.
func newJob(input, path string) *job {
	return &job{ID: uuid.New(), Version: jobVersion, Input: filepath.Base(input), path: path, index: make(map[uuid.UUID]*entry)}
}

// knows reports whether every row that was sent is in the file. The runs of an
// earlier version put none into it.
func (j *job) knows() bool { return j.Version > 0 }

// knowsRows reports whether rows are in the file that an earlier run sent, or that
// none was sent.
func (j *job) knowsRows() bool { return j.knows() || j.hadRows }

// resumable returns why a job cannot be resumed, or nil if it can. A job
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
		return fmt.Errorf("the job was begun at %s, and the\nledger forgets what was done after %v:\nto go on could create copies a second time.\n%s",
			stamp(j.Created), j.retention(), insteadOfResuming)
	}
	return nil
}

// jobPath returns the path of the job's file.
func (c *Command) jobPath(regular bool) (string, error) {
	switch {
	case c.Job != "":
		return c.Job, nil
	case c.Settle && c.File != "-":
		return c.File + jobSuffix, nil // the input is not read
	case c.File != "-" && !file.Exists(c.File):
		return "", fmt.Errorf("there is no file %s", term.Printable(c.File))
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

// openJob reads the job to resume, or returns a new one that is not kept yet.
func (c *Command) openJob(path string, in *input, say func(string)) (*job, error) {
	if c.NewJob {
		return replaceJob(c.File, path)
	}
	j, err := resumeJob(path)
	if j != nil || err != nil {
		return j, err
	}
	if err := c.resultsWithoutJob(in, path); err != nil {
		return nil, err
	}
	if file.IsRegular(path) {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		say(term.Printable(path) + " was empty, as a full disk leaves it: no run of its job sent anything")
	}
	return newJob(c.File, path), nil
}

// resultsWithoutJob returns an error if there are results of a job whose file is gone.
func (c *Command) resultsWithoutJob(in *input, path string) error {
	results := c.results(in)
	if results == "" || !file.IsRegular(results) || !isResults(results) {
		return nil
	}
	return fmt.Errorf("%s has results of an earlier job,\nbut the file of that job is gone or empty: %s\nPut it back, so that nothing is made twice; or begin a new job with --new-job", term.Printable(results), term.Printable(path))
}

// peekJob returns the job that a run would use, and changes nothing. The job of an
// input that is no file, and that has no --job, has no path.
func (c *Command) peekJob(in *input) (*job, error) {
	path, err := c.jobPath(in.regular())
	if err != nil {
		return newJob(c.File, path), nil
	}
	if c.NewJob {
		j := newJob(c.File, path)
		j.before = new(replacedJob)
		return j, nil
	}
	j, err := peekJob(path)
	if err == nil && j == nil {
		j, err = newJob(c.File, path), c.resultsWithoutJob(in, path)
	}
	return j, err
}

// makeRoom keeps the file and the results of the earlier job under other names.
func (c *Command) makeRoom(in *input, path string, say func(string)) error {
	if err := c.setResultsAside(in, say); err != nil {
		return err
	}
	aside, err := setAside(path)
	if aside != "" {
		say("the earlier job is kept in " + term.Printable(aside))
	}
	return err
}

// promised returns what the ledger promises to this run. A job that is not the
// ledger's cannot be resumed.
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
func (c *Command) keep(in *input, j *job, conn *connection, now promise, p *progress) error {
	if j.file != nil {
		p.say(fmt.Sprintf("resuming the job of %s, kept in %s", stamp(j.Created), term.Printable(j.path)))
		if !j.knowsRows() {
			p.say("It is of an earlier version and does not know its rows:\na row that was changed since is copied anew.")
		}
		return nil
	}
	if c.NewJob {
		if err := c.makeRoom(in, j.path, p.say); err != nil {
			return err
		}
	}
	if err := j.begin(now); err != nil {
		return err
	}
	p.say(fmt.Sprintf("the job is kept in %s\nit can be resumed until %s", term.Printable(j.path), stamp(now.expiry())))
	if !conn.ledger.GetDurable() {
		p.say("The server keeps its ledger in memory:\nafter a restart of the server, the job cannot be resumed.")
	}
	return nil
}
