// Package httpbody reads the bodies of HTTP messages whole.
package httpbody

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// MaxPresized is how much memory, in bytes, a body gets on the word of its
// Content-Length alone. It gets as much again whenever that is full.
const MaxPresized = 64 << 10

// chunk is a part of a long body on its way in.
type chunk [MaxPresized]byte

// chunks keeps chunks for other bodies: a long body leaves no garbage.
var chunks = sync.Pool{New: func() any { return new(chunk) }}

// Read reads a body of the given Content-Length, which is negative where it is not
// known, to its end. Of a body whose length is known, no read is tried beyond it, and an
// end before it is [io.ErrUnexpectedEOF]. What came before an error is returned with it.
func Read(r io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		return io.ReadAll(r)
	}
	if length > MaxPresized {
		return readLong(r, length)
	}
	body := make([]byte, length)
	n, err := fill(body, r)
	return body[:n], err
}

// readLong reads a body chunk by chunk.
func readLong(r io.Reader, length int64) ([]byte, error) {
	var room [16][]byte
	parts := room[:0]
	var err error
	for left := length; left > 0 && err == nil; {
		part := chunks.Get().(*chunk)[:min(left, MaxPresized)]
		var n int
		n, err = fill(part, r)
		parts = append(parts, part[:n])
		left -= int64(n)
	}
	body := bytes.Join(parts, nil)
	for _, part := range parts {
		chunks.Put((*chunk)(part[:MaxPresized]))
	}
	return body, err
}

// fill reads until the part of a body is full, and returns how much of it is.
func fill(part []byte, r io.Reader) (n int, err error) {
	for n < len(part) {
		m, err := r.Read(part[n:])
		n += m
		if errors.Is(err, io.EOF) && n < len(part) {
			return n, io.ErrUnexpectedEOF
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
	}
	return n, nil
}
