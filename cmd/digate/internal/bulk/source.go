package bulk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/file"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// rowReader reads the rows of an input. It returns io.EOF after the last one. Any
// other error ends the reading. An error of one row alone is in the row.
type rowReader interface{ next() (*row, error) }

// input says what to read, and how.
type input struct {
	path      string // - is standard input
	std       term.IO
	format    string // csv or ndjson
	template  string
	varPrefix string
	contract  *contract
	// unresolved is what happens to a row if placeholders get no value.
	unresolved integrationv1.Unresolved
	// dialect is that of the input, once it was opened. The results share it.
	dialect dialect
	ids     *rowIDs // of the reading before, whose memory the next one takes
	// spooled is what standard input held, if that was read as a whole.
	spooled []byte
}

// formatOf returns the format that belongs to the end of a file's name. It is
// empty if there is none.
func formatOf(path string) string {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		return "csv"
	case ".ndjson", ".jsonl":
		return "ndjson"
	}
	return ""
}

// name returns what an error calls the input.
func (in *input) name() string {
	if in.path == "-" {
		return "standard input"
	}
	return in.path
}

// regular reports whether the input can be read more than once.
func (in *input) regular() bool { return in.path != "-" && file.IsRegular(in.path) }

// maxSpooled bounds an input that is kept in memory.
const maxSpooled = 256 << 20

// spool reads an input that can be read once to its end, so that it can be read
// again.
func (in *input) spool(ctx context.Context) error {
	source, closeInput, err := in.source(ctx)
	if err != nil {
		return err
	}
	defer closeInput()
	b, err := io.ReadAll(io.LimitReader(source, maxSpooled+1))
	if err != nil {
		return err
	}
	if len(b) > maxSpooled {
		return errors.New("the input is too large to resume a job: put it into a file")
	}
	in.spooled = b
	return nil
}

// again reports whether the input can be read again.
func (in *input) again() bool { return in.regular() || in.spooled != nil }

// rowIDs returns what names the rows, from the first one on.
func (in *input) rowIDs(j *job) *rowIDs {
	if in.ids == nil {
		in.ids = newRowIDs(j)
	}
	clear(in.ids.seen)
	clear(in.ids.keys)
	in.ids.job = j
	return in.ids
}

// rows reads the rows of an input and gives them their request ids.
type rows struct {
	rowReader
	contract   *contract
	unresolved integrationv1.Unresolved
	ids        *rowIDs
	// warn is called once if the input holds a secret.
	warn   func(string)
	warned bool
	close  func()
	// more reports whether another row can be read at once.
	more func() bool
	// arriving, if set, takes rows before they are sent.
	arriving *arriving
}

// whatRows says what rows a person types, by format.
var whatRows = map[string]string{
	"csv":    "the rows in CSV, below a header row",
	"ndjson": "the rows in NDJSON, an object on each line",
}

// source opens the input. The end of ctx ends the reading of standard input.
func (in *input) source(ctx context.Context) (_ io.Reader, closeInput func(), err error) {
	switch {
	case in.spooled != nil:
		return bytes.NewReader(in.spooled), func() {}, nil
	case in.path == "-":
		return in.std.Input(ctx, whatRows[in.format]), func() {}, nil
	}
	f, err := os.Open(in.path)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { _ = f.Close() }, nil
}

// open begins at the first row. The end of ctx ends the reading of standard input.
func (in *input) open(ctx context.Context, j *job, warn func(string)) (*rows, error) {
	source, closeInput, err := in.source(ctx)
	if err != nil {
		return nil, err
	}
	buffered, mark := decoded(source)
	in.dialect.mark = mark
	if first, _ := buffered.Peek(4); workbookContent(first) != "" {
		closeInput()
		return nil, &malformedError{errors.New(saveAsCSV(in.name(), workbookContent(first)))}
	}
	r := &rows{contract: in.contract, unresolved: in.unresolved, ids: in.rowIDs(j), warn: warn, close: closeInput, more: func() bool { return buffered.Buffered() > 0 }}
	if in.format == "csv" {
		reader, err := newCSVRows(buffered, in.template, in.varPrefix)
		if err != nil {
			closeInput()
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, &malformedError{fmt.Errorf("%s: %w", in.name(), err)}
		}
		r.rowReader, in.dialect.comma = reader, rune(reader.records.comma)
	} else {
		r.rowReader = &ndjsonRows{lines: buffered, contract: in.contract, template: in.template}
	}
	return r, nil
}

// next returns the next row with its request id.
func (r *rows) next() (*row, error) {
	next, err := r.rowReader.next()
	if err != nil {
		return nil, err
	}
	next.copy.Unresolved = r.unresolved
	if next.copy.ApiKey != nil && !r.warned {
		r.warned = true
		r.warn(fmt.Sprintf("line %d: the input holds an api_key; api_key_env and api_key_file keep secrets out of it", next.line))
	}
	if next.err == nil {
		next.err = r.ids.name(next, r.contract)
	}
	return next, nil
}

// end notes what was found of the input as a whole.
func (r *rows) end(found *findings) {
	if c, ok := r.rowReader.(*csvRows); ok {
		found.notes = c.notes()
	}
}

// maxPlanned bounds the rows that are planned together.
const maxPlanned = 256

// send sends the rows to a channel and closes it after the last one, or when ctx
// ends. It returns why the rows could not be read to the end.
func (r *rows) send(ctx context.Context, to chan<- *row) error {
	defer close(to)
	defer r.close()
	for {
		batch, err := r.batch()
		if r.arriving != nil {
			if err := r.arriving.take(ctx, batch); err != nil {
				return err
			}
		}
		for _, next := range batch {
			select {
			case to <- next:
			case <-ctx.Done():
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			if r.arriving != nil {
				r.end(&r.arriving.found)
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// batch returns the next rows: all those that are to be planned together, or one.
func (r *rows) batch() (batch []*row, err error) {
	for {
		next, err := r.next()
		if err != nil {
			return batch, err
		}
		batch = append(batch, next)
		if r.arriving == nil || len(batch) == maxPlanned || !r.more() {
			return batch, nil
		}
	}
}
