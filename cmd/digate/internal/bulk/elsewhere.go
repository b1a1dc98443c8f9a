package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// madeElsewhereError says that the job of another file may have made rows of the
// input.
type madeElsewhereError struct{ error }

// notElsewhere returns a madeElsewhereError if a job beside the new job j may have
// made rows of the input, which a person has saved under another name, for example.
func (c *Command) notElsewhere(ctx context.Context, in *input, j *job) error {
	files, err := os.ReadDir(filepath.Dir(j.path))
	if err != nil {
		return nil // that says nothing of the input
	}
	names := make(map[string]bool, len(j.entries))
	for _, e := range j.entries {
		names[e.name] = true
	}
	for _, f := range files {
		path := filepath.Join(filepath.Dir(j.path), f.Name())
		if !f.Type().IsRegular() || !strings.HasSuffix(f.Name(), jobSuffix) || path == filepath.Clean(j.path) {
			continue
		}
		made, err := rowsMadeBy(ctx, in, path, names)
		if err != nil {
			return err
		}
		if made > 0 {
			return madeElsewhereError{fmt.Errorf("nothing was sent: %s may be made already, by the job in %s\n--new-job makes them a second time; to go on with that job:\n%s",
				rowCount(made), term.Printable(path), term.Printable(c.again(path)))}
		}
	}
	return nil
}

// rowsMadeBy returns how many rows of the input the job in a file may have made. It
// reads the input only if the job made a row with one of the names. A file that is
// not a job's made none.
func rowsMadeBy(ctx context.Context, in *input, path string, names map[string]bool) (made int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, nil
	}
	j := &job{path: path, file: f, index: make(map[uuid.UUID]*entry)}
	err = j.read()
	_ = f.Close()
	if err != nil {
		return 0, nil
	}
	named := false
	for _, e := range j.entries {
		named = named || e.mayBeMade() && names[e.name]
	}
	if !named {
		return 0, nil
	}
	rows, err := in.open(j, discardWarning)
	if err != nil {
		return 0, err
	}
	defer rows.close()
	for ctx.Err() == nil {
		r, err := rows.next()
		if errors.Is(err, io.EOF) {
			return made, nil
		}
		if err != nil {
			return 0, err
		}
		if r.err != nil {
			continue
		}
		if e := j.find(r.copy.GetRequestId()); e != nil && e.mayBeMade() {
			made++
		}
	}
	return 0, errInterrupted
}
