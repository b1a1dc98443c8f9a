package bulk

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// records splits CSV into its records, of which a row is one. It bounds their size,
// and goes on behind a record that is too large or malformed.
type records struct {
	r     *bufio.Reader
	comma byte
	line  int // of the input so far
	buf   []byte
}

// next returns the next record with its line end, and the line that it begins in.
// It skips empty lines. A record is valid until the next one. One that is larger
// than a row may be is dropped, with errRowTooLarge.
func (r *records) next() (record []byte, line int, err error) {
	for {
		record, line, err = r.read()
		if err != nil || len(bytes.TrimRight(record, "\r\n")) > 0 {
			return record, line, err
		}
	}
}

func (r *records) read() (record []byte, line int, err error) {
	r.buf = r.buf[:0]
	line = r.line + 1
	quotes := quoteState{comma: r.comma, start: true}
	tooLarge, some := false, false
	for {
		part, err := r.r.ReadSlice('\n')
		some = some || len(part) > 0
		quotes.follow(part)
		if tooLarge = tooLarge || len(r.buf)+len(part) > maxRow; !tooLarge {
			r.buf = append(r.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && !some:
			return nil, line, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, line, err
		}
		if len(part) > 0 {
			r.line++
		}
		if err == nil && quotes.in {
			continue // a line end within quotes
		}
		if tooLarge {
			return nil, line, errRowTooLarge
		}
		return r.buf, line, nil
	}
}

// quoteState follows the quotes of a record.
type quoteState struct {
	comma byte
	start bool // at the beginning of a cell
	in    bool // within quotes
	after bool // behind a quote that ended them, unless another quote follows
}

func (q *quoteState) follow(part []byte) {
	for _, c := range part {
		switch {
		case c == '"' && (q.start || q.after):
			q.in, q.after, q.start = true, false, false
		case c == '"' && q.in:
			q.in, q.after = false, true
		case !q.in:
			q.after, q.start = false, c == q.comma
		}
	}
}
