package bulk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/digate/digate/cmd/digate/internal/file"
	"github.com/digate/digate/cmd/digate/internal/term"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/internal/durable"
)

// jobSuffix follows the name of the input in the name of its job's file.
const jobSuffix = ".digate-job"

// maxJobFile bounds a job's file, in bytes.
const maxJobFile = 64 << 10

// maxJobMargin bounds the margin of a job. A copy that is sent may take that long
// expiry the server looks into the ledger.
const maxJobMargin = 10 * time.Minute

// job lets the ledger recognize the rows of an earlier run. It holds no secret
// and no row.
type job struct {
	ID      uuid.UUID `json:"job"`
	Created time.Time `json:"created"`
	// Deadline is when the ledger may begin to forget what the job did.
	Deadline time.Time `json:"deadline"`
	// Caller is the ledger's name for the caller who ran the job.
	Caller string `json:"caller"`
	Ledger string `json:"ledger"`
	// Durable means that the ledger survives the end of its server.
	Durable bool   `json:"durable"`
	Server  string `json:"server"`
	Input   string `json:"input"`

	// resumed says that an earlier run may have copied any of the rows.
	resumed bool
}

// newJob returns the job of a first run. Its times come from the wall clock,
// because other runs compare them with theirs.
func newJob(input, server string, l *digatev1.GetLedgerResponse, now time.Time) *job {
	now = now.UTC().Truncate(time.Second)
	return &job{
		ID: uuid.New(), Created: now, Deadline: now.Add(l.GetRetention().AsDuration()),
		Caller: l.GetCaller(), Ledger: l.GetStore(), Durable: l.GetDurable(), Server: server, Input: filepath.Base(input),
	}
}

// write creates the job's file, durably: no copy may be sent under a request id
// that a crash could lose. A file that exists already is an error.
func (j *job) write(path string) error {
	b, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	switch err := durable.Create(path, append(b, '\n')); {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s appeared just now: somebody else runs the same input", path)
	case err != nil:
		return fmt.Errorf("the job cannot be kept: %w", err)
	}
	return nil
}

// readJob reads a job's file. It returns nil if there is none.
func readJob(path string) (*job, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxJobFile))
	if err != nil {
		return nil, err
	}
	j := new(job)
	if json.Unmarshal(b, j) != nil || j.ID == uuid.Nil || j.Created.IsZero() || j.Deadline.IsZero() || j.Caller == "" {
		return nil, fmt.Errorf("%s is not the file of a job, or was cut short. If the first run ended before it sent anything, begin anew with --new-job", path)
	}
	j.resumed = true
	return j, nil
}

// insteadOfResuming says what to do if a job cannot be resumed.
const insteadOfResuming = "Find out what was created (the results of that run, `digate integrations list`), remove those rows from the input, and begin anew with --new-job."

// of returns why a job does not belong to the ledger's caller, or nil if it does.
func (j *job) of(l *digatev1.GetLedgerResponse) error {
	if j.Caller == l.GetCaller() {
		return nil
	}
	if !j.Durable || !l.GetDurable() {
		return fmt.Errorf("the ledger does not know the job %s: it was begun by %s, and this is %s.\nThe server keeps its ledger in memory and was restarted, and so forgot what was done; or the token is another one.\n%s",
			j.ID, term.Printable(j.Caller), term.Printable(l.GetCaller()), insteadOfResuming)
	}
	return fmt.Errorf("the job %s was begun by another caller (%s, now %s), and the ledger does not tell one caller about another's copies.\nThe token is another one, or the server has another ledger or another key for its ledger.\n%s",
		j.ID, term.Printable(j.Caller), term.Printable(l.GetCaller()), insteadOfResuming)
}

// resumable returns why a job cannot be resumed at a time, or nil if it can. To
// resume regardless could create copies a second time. A ledger whose retention
// became shorter brings the deadline forward.
func (j *job) resumable(l *digatev1.GetLedgerResponse, now time.Time) error {
	if err := j.of(l); err != nil {
		return err
	}
	if d := j.Created.Add(l.GetRetention().AsDuration()); d.Before(j.Deadline) {
		j.Deadline = d
	}
	now = now.Round(0) // compare wall clocks
	if now.Before(j.Created) {
		return fmt.Errorf("the job %s was begun at %s, which is in the future: set the clock", j.ID, stamp(j.Created))
	}
	if !now.Before(j.expiry()) {
		return fmt.Errorf("the job %s was begun at %s, and the ledger forgets what was done after %v: to go on could create copies a second time.\n%s",
			j.ID, stamp(j.Created), j.retention(), insteadOfResuming)
	}
	return nil
}

// retention returns how long the ledger keeps what the job did.
func (j *job) retention() time.Duration { return j.Deadline.Sub(j.Created) }

// margin returns how long before the end of the retention the job ends.
func (j *job) margin() time.Duration { return min(j.retention()/10, maxJobMargin) }

// expiry returns when the job ends: it cannot be resumed from then on.
func (j *job) expiry() time.Time { return j.Deadline.Add(-j.margin()) }

// stamp formats a time for people.
func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

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

// openJob returns the job to resume, or a new one that is already kept.
func (c *Command) openJob(path string, conn *connection, p *progress) (*job, error) {
	if c.NewJob {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	j, err := readJob(path)
	if err != nil {
		return nil, err
	}
	if j == nil {
		j = newJob(c.File, c.Addr, conn.ledger, time.Now())
		if err := j.write(path); err != nil {
			return nil, err
		}
		p.say(fmt.Sprintf("job %s begins, and is kept in %s; it can be resumed until %s", j.ID, term.Printable(path), stamp(j.expiry())))
		if !conn.ledger.GetDurable() {
			p.say("The server keeps its ledger in memory: after a restart of the server, the job cannot be resumed.")
		}
		return j, nil
	}
	if err := j.resumable(conn.ledger, time.Now()); err != nil {
		return nil, err
	}
	p.say(fmt.Sprintf("job %s, begun at %s, is resumed; it can be resumed until %s", j.ID, stamp(j.Created), stamp(j.expiry())))
	return j, nil
}
