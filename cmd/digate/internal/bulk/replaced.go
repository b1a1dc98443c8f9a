package bulk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// replacedJob is the job whose place another one takes with --new-job.
type replacedJob struct {
	file *os.File // keeps other runs off it
	// written is when its file was last written to.
	written time.Time
	// job is nil if the file is not readable as a job's.
	job *job
	// made are the integrations that it made of rows of the input, by line, and open
	// are other rows of the input that it may have made.
	made map[int32]string
	open map[int32]*entry
}

// replaceJob returns a new job in the place of the one with the path. No other run
// can use that one meanwhile: a run that is under way would make the same rows.
func replaceJob(input, path string) (*job, error) {
	j := newJob(input, path)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", term.Printable(path), err)
	}
	j.before = &replacedJob{file: f}
	return j, nil
}

// close lets other runs use the job again.
func (b *replacedJob) close() {
	if b != nil && b.file != nil {
		_ = b.file.Close()
	}
}

// meet finds out what the job made of the rows of an input. What a file holds that is
// no job's says nothing.
func (b *replacedJob) meet(ctx context.Context, in *input, path string) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	b.written = info.ModTime()
	if b.job, err = peekJob(path); err != nil || b.job == nil {
		b.job = nil
		return nil
	}
	b.made, b.open, err = rowsMadeBy(ctx, in, b.job)
	return err
}

// mayStillMake is how long after the last line of a job's file a row of it may still
// be on its way to Diga.
const mayStillMake = stallTimeout

// askReplaced finds out what the job that is replaced made. Where its ledger is gone,
// only Diga's list tells, once nothing of that job is under way any more.
func (j *job) askReplaced(ctx context.Context, conn *connection) error {
	b := j.before
	if b == nil || b.job == nil {
		return nil
	}
	if j.elsewhere == nil {
		j.elsewhere = make(map[int32]string)
	}
	maps.Copy(j.elsewhere, b.made)
	if len(b.open) == 0 {
		return nil
	}
	kept, err := b.isKept(ctx, conn)
	if err != nil {
		return err
	}
	if !kept {
		if wait := time.Until(b.written.Add(mayStillMake)); wait > 0 {
			return fmt.Errorf("%w: %s of the earlier job may still be under way,\nand its ledger is gone. Run again in %v: then Diga's list tells",
				errNothingSent, rowCount(len(b.open)), wait.Round(time.Second))
		}
		return nil
	}
	if err := b.ask(ctx, conn); err != nil {
		return err
	}
	inDoubt := 0
	for line, e := range b.open {
		switch {
		case e.isMade():
			j.elsewhere[line] = e.made
		case e.mayBeMade():
			inDoubt++
		}
	}
	if inDoubt > 0 {
		return fmt.Errorf("%w: the job in %s may have made %s.\nOnly that job can find out: run it again without --new-job, or settle them with\n--settle. --existing=copy makes all rows once more",
			errNothingSent, term.Printable(b.job.path), rowCount(inDoubt))
	}
	return nil
}

// isKept reports whether a ledger still knows what the job did.
func (b *replacedJob) isKept(ctx context.Context, conn *connection) (bool, error) {
	if b.job.resumable(conn.ledger, time.Now()) != nil {
		return false, nil
	}
	for _, e := range b.open {
		if b.job.promises[e.promise].expired(time.Now()) {
			return false, nil
		}
	}
	return b.job.isRemembered(ctx, conn)
}

// ask asks the ledger what became of the open rows.
func (b *replacedJob) ask(ctx context.Context, conn *connection) error {
	lines, err := askAbout(ctx, conn, slices.Collect(maps.Values(b.open)))
	for _, line := range lines {
		b.job.record(line) // it has no file: nothing is written
	}
	if err != nil {
		return fmt.Errorf("%w: the ledger cannot be asked what the earlier job made: %w", errNothingSent, describeFailure(err))
	}
	return nil
}
