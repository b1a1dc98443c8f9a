package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// rowReader reads the rows of an input. It returns io.EOF behind the last one;
// after any other error there is no reading on. What is wrong with one row alone
// stands in the row.
type rowReader interface{ next() (*bulkRow, error) }

// bulkInput says what to read and how.
type bulkInput struct {
	path      string // - is in
	in        io.Reader
	format    string // csv or ndjson
	template  string
	varPrefix string
	contract  *contract
}

// formatOf is the format that a name's ending says, empty for none.
func formatOf(path string) string {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		return "csv"
	case ".ndjson", ".jsonl":
		return "ndjson"
	}
	return ""
}

// regular says whether the input can be read more than once.
func (i *bulkInput) regular() bool {
	if i.path == "-" {
		return false
	}
	info, err := os.Stat(i.path)
	return err == nil && info.Mode().IsRegular()
}

// rows are the rows of an input, read one after the other.
type rows struct {
	rowReader
	contract *contract
	ids      *rowIDs
	// warn is told once of a secret that stands in the input.
	warn   func(string)
	warned bool
	close  func()
}

// open begins at the first row.
func (i *bulkInput) open(job uuid, warn func(string)) (*rows, error) {
	in, closeInput := i.in, func() {}
	if i.path != "-" {
		f, err := os.Open(i.path)
		if err != nil {
			return nil, err
		}
		in, closeInput = f, func() { _ = f.Close() }
	}
	buffered := bufio.NewReaderSize(in, 64<<10)
	if mark, _ := buffered.Peek(3); string(mark) == "\ufeff" {
		_, _ = buffered.Discard(3)
	}
	r := &rows{contract: i.contract, ids: newRowIDs(job), warn: warn, close: closeInput}
	if i.format == "csv" {
		reader, err := newCSVRows(buffered, i.template, i.varPrefix)
		if err != nil {
			closeInput()
			return nil, &malformedError{fmt.Errorf("%s: %w", i.path, err)}
		}
		r.rowReader = reader
	} else {
		r.rowReader = &ndjsonRows{lines: buffered, contract: i.contract, template: i.template}
	}
	return r, nil
}

// next returns the next row with its request id.
func (r *rows) next() (*bulkRow, error) {
	row, err := r.rowReader.next()
	if err != nil {
		return nil, err
	}
	if row.copy.ApiKey != nil && !r.warned {
		r.warned = true
		r.warn(fmt.Sprintf("line %d: an api_key stands in the input; api_key_env and api_key_file keep secrets out of it", row.line))
	}
	if row.err == nil {
		row.err = r.ids.name(row, r.contract)
	}
	return row, nil
}

// rowIDs gives rows their request ids: those of a job, the row without its
// secrets, and which one it is of rows that are equal. So the ids stay the same
// where rows are moved or others are put between them.
type rowIDs struct {
	job  uuid
	seen map[[16]byte]equalRows // by digest
	seed maphash.Seed
}

type equalRows struct {
	n int32
	// literal is a digest of their literal api_key, 0 for none. It is of use in
	// this process alone.
	literal uint64
}

func newRowIDs(job uuid) *rowIDs {
	return &rowIDs{job: job, seen: make(map[[16]byte]equalRows), seed: maphash.MakeSeed()}
}

// name sets the row's request id. Rows that differ in a literal api_key alone
// are refused: moved around, one would stand for the other.
func (r *rowIDs) name(row *bulkRow, c *contract) error {
	identity, err := row.identity(c)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(identity)
	equal, again := r.seen[[16]byte(digest[:16])]
	literal := uint64(0)
	if row.copy.ApiKey != nil {
		literal = maphash.String(r.seed, *row.copy.ApiKey) | 1
	}
	if again && literal != equal.literal {
		return errors.New("differs from an earlier row in its api_key alone; name them differently, or take the keys from api_key_env or api_key_file")
	}
	equal = equalRows{equal.n + 1, literal}
	r.seen[[16]byte(digest[:16])] = equal
	row.copy.RequestId = newNamedUUID(r.job, fmt.Appendf(identity, "\n%d", equal.n)).String()
	return nil
}

// send puts the rows on a channel until they end, which is told by closing it,
// or the context does. The error is why they could not be read to the end.
func (r *rows) send(ctx context.Context, to chan<- *bulkRow) error {
	defer close(to)
	defer r.close()
	for {
		row, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case to <- row:
		case <-ctx.Done():
			return nil
		}
	}
}
