package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
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
	names := make(map[string]bool, len(j.entries))
	for _, e := range j.entries {
		names[e.name] = true
	}
	for _, path := range jobsBeside(j.path, in.path) {
		made, open, err := rowsMadeBy(ctx, in, path, names)
		if err != nil {
			return err
		}
		if len(made)+open == 0 {
			continue
		}
		if c.Existing == "" || open > 0 {
			return c.madeElsewhere(path, len(made), open)
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
		return fmt.Errorf("%w: the job in %s may have made %s\nOnly that job can find out. To go on with it:\n%s",
			errNothingSent, term.Printable(path), rowCount(open), term.Printable(c.again(path)))
	}
	return fmt.Errorf("%w: the job in %s may have made %s\n--existing=skip leaves them so, --existing=copy makes them a second time.\nTo go on with that job:\n%s",
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

// rowsMadeBy returns the integrations that the job in a file made of rows of the input,
// by line, and how many other rows it may have made. It reads the input only if the job
// made a row with one of the names. A file that is not a job's made none.
func rowsMadeBy(ctx context.Context, in *input, path string, names map[string]bool) (made map[int32]string, open int, err error) {
	j, err := peekJob(path)
	if err != nil || j == nil {
		return nil, 0, nil
	}
	named := false
	for _, e := range j.entries {
		named = named || e.mayBeMade() && names[e.name]
	}
	if !named {
		return nil, 0, nil
	}
	rows, err := in.open(j, discardWarning)
	if err != nil {
		return nil, 0, err
	}
	defer rows.close()
	made = make(map[int32]string)
	for ctx.Err() == nil {
		r, err := rows.next()
		if errors.Is(err, io.EOF) {
			return made, open, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if r.err != nil {
			continue
		}
		switch e := j.find(r.copy.GetRequestId()); {
		case e == nil:
		case e.isMade():
			made[int32(r.line)] = e.made
		case e.mayBeMade():
			open++
		}
	}
	return nil, 0, errInterrupted
}
