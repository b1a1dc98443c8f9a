package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	digatev1 "github.com/digate/digate/gen/digate/v1"
)

// jobSuffix is what a job's file has behind the name of its input.
const jobSuffix = ".digate-job"

// maxJobFile bounds a job's file, in bytes.
const maxJobFile = 64 << 10

// maxJobMargin is how long before the retention's end a copy is not asked for
// any more at most: it may take as long until the ledger is looked at.
const maxJobMargin = 10 * time.Minute

// bulkJob is what makes another run of an input the same one to the ledger. It
// holds no secret and no row.
type bulkJob struct {
	ID      uuid      `json:"job"`
	Created time.Time `json:"created"`
	// Deadline is when the ledger may begin to forget what the job did.
	Deadline time.Time `json:"deadline"`
	// Caller is the ledger's name for whoever ran it.
	Caller string `json:"caller"`
	Ledger string `json:"ledger"`
	Server string `json:"server"`
	Input  string `json:"input"`

	// resumed says that an earlier run may have copied any of the rows.
	resumed bool
}

// newBulkJob returns the job of a first run. Times are the wall clock's, since
// they are compared with those of other runs.
func newBulkJob(input, server string, l *digatev1.GetLedgerResponse) *bulkJob {
	now := time.Now().UTC().Truncate(time.Second)
	return &bulkJob{
		ID: newUUID(), Created: now, Deadline: now.Add(l.GetRetention().AsDuration()),
		Caller: l.GetCaller(), Ledger: l.GetStore(), Server: server, Input: filepath.Base(input),
	}
}

// write makes the job's file. Where there is one already it fails.
func (j *bulkJob) write(path string) error {
	b, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s came into being meanwhile: somebody else runs the same input", path)
	}
	if err != nil {
		return fmt.Errorf("the job cannot be kept: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	// Nothing may be sent under an id that a crash could lose.
	err = errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(path)))
	if err != nil {
		return fmt.Errorf("the job cannot be kept: %w", err)
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readBulkJob returns nil where there is no file.
func readBulkJob(path string) (*bulkJob, error) {
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
	j := new(bulkJob)
	if json.Unmarshal(b, j) != nil || j.ID == (uuid{}) || j.Created.IsZero() || j.Deadline.IsZero() || j.Caller == "" {
		return nil, fmt.Errorf("%s is not the file of a job, or was cut short: if the first run ended before it sent anything, --new-job begins anew", path)
	}
	j.resumed = true
	return j, nil
}

// insteadOfResuming is what to do where a job cannot go on.
const insteadOfResuming = "See what is there (the results of that run, `digate integrations list`), take it out of the input, and begin anew with --new-job."

// of says why a job is not one of a ledger's caller, nil where it is.
func (j *bulkJob) of(l *digatev1.GetLedgerResponse) error {
	if j.Caller == l.GetCaller() {
		return nil
	}
	why := "The token is another one, or the server has another ledger or another key for it."
	if j.Ledger == "memory" || l.GetStore() == "memory" {
		why = "The token is another one, or the server keeps its ledger in memory and was restarted, which forgets what was done."
	}
	return fmt.Errorf("the job %s was begun as another caller (%s, now %s), of whose copies the ledger does not tell.\n%s\n%s",
		j.ID, printable(j.Caller), printable(l.GetCaller()), why, insteadOfResuming)
}

// resumable says why a job cannot go on, nil where it can. What would go on
// regardless could copy a second time what is already there.
func (j *bulkJob) resumable(l *digatev1.GetLedgerResponse) error {
	if err := j.of(l); err != nil {
		return err
	}
	if d := j.Created.Add(l.GetRetention().AsDuration()); d.Before(j.Deadline) {
		j.Deadline = d
	}
	now := time.Now().Round(0)
	if now.Before(j.Created) {
		return fmt.Errorf("the job %s was begun at %s, which is yet to come: set the clock", j.ID, stamp(j.Created))
	}
	if !now.Before(j.until()) {
		return fmt.Errorf("the job %s was begun at %s, and the ledger forgets what was done after %v: going on could copy a second time.\n%s", j.ID, stamp(j.Created), j.retention(), insteadOfResuming)
	}
	return nil
}

func (j *bulkJob) retention() time.Duration { return j.Deadline.Sub(j.Created) }

// margin is kept from the retention's end.
func (j *bulkJob) margin() time.Duration { return min(j.retention()/10, maxJobMargin) }

// until is until when the job can go on.
func (j *bulkJob) until() time.Time { return j.Deadline.Add(-j.margin()) }

// stamp is a time as people read it.
func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }
