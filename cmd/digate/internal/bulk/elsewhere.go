package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// lookElsewhere looks for rows of the input that the job of another file has made, or
// may have made: a person has saved the file under another name, for example. It knows
// more than Diga's list: which rows are in doubt, and which rows are the same whatever
// name they have at Diga. It returns an error if the person has to decide.
func (c *Command) lookElsewhere(ctx context.Context, in *input, j *job) error {
	if j.file != nil || len(j.promises) > 0 || c.Existing == existingCopy {
		return nil
	}
	if j.before != nil {
		if err := j.before.meet(ctx, in, j.path); err != nil {
			return err
		}
	}
	names := make(map[string]bool, len(j.entries))
	for _, e := range j.entries {
		names[e.name] = true
	}
	for _, path := range jobsBeside(j.path, in.path) {
		other, err := peekJob(path)
		if err != nil || other == nil || !other.mayHaveMade(names) {
			continue // a file that is not a job's made none
		}
		made, open, err := rowsMadeBy(ctx, in, other)
		if err != nil {
			return err
		}
		if len(made)+len(open) == 0 {
			continue
		}
		if c.Existing == "" || len(open) > 0 {
			return c.madeElsewhere(path, len(made), len(open))
		}
		if j.elsewhere == nil {
			j.elsewhere = make(map[int32]string)
		}
		maps.Copy(j.elsewhere, made)
	}
	return nil
}

// madeElsewhere returns the error for rows that the job in a file made, or may have
// made.
func (c *Command) madeElsewhere(path string, made, open int) error {
	if c.Existing == existingSkip {
		return fmt.Errorf("%w: the job in %s may have made %s\nOnly that job can find out. To resume it:\n%s",
			errNothingSent, term.Printable(path), rowCount(open), term.Printable(c.again(path)))
	}
	return fmt.Errorf("%w: the job in %s may have made %s\n--existing=skip leaves them so, --existing=copy makes them a second time.\nTo resume that job:\n%s",
		errNothingSent, term.Printable(path), rowCount(made+open), term.Printable(c.again(path)))
}

// jobsBeside returns the files of other jobs in the folders of a job and its input.
func jobsBeside(job, input string) (paths []string) {
	folders := []string{filepath.Dir(job)}
	if dir := filepath.Dir(input); dir != folders[0] {
		folders = append(folders, dir)
	}
	for _, dir := range folders {
		files, err := os.ReadDir(dir)
		if err != nil {
			continue // that says nothing of the input
		}
		for _, f := range files {
			path := filepath.Join(dir, f.Name())
			if f.Type().IsRegular() && strings.HasSuffix(f.Name(), jobSuffix) && path != filepath.Clean(job) {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// mayHaveMade reports whether the job may have made a row with one of the names. Only
// then the input is read once more.
func (j *job) mayHaveMade(names map[string]bool) bool {
	return slices.ContainsFunc(j.entries, func(e *entry) bool { return e.mayBeMade() && names[e.name] })
}

// rowsMadeBy returns the integrations that another job made of rows of the input, by
// line, and the other rows that it may have made.
func rowsMadeBy(ctx context.Context, in *input, other *job) (made map[int32]string, open map[int32]*entry, err error) {
	rows, err := in.open(ctx, other, discardWarning)
	if err != nil {
		return nil, nil, err
	}
	defer rows.close()
	made, open = make(map[int32]string), make(map[int32]*entry)
	for ctx.Err() == nil {
		r, err := rows.next()
		if errors.Is(err, io.EOF) {
			return made, open, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if r.err != nil {
			continue
		}
		switch e := other.find(r.copy.GetRequestId()); {
		case e == nil:
		case e.isMade():
			made[int32(r.line)] = e.made
		case e.mayBeMade():
			open[int32(r.line)] = e
		}
	}
	return nil, nil, errInterrupted
}
