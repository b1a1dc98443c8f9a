// Package httpbody reads whole bodies of HTTP messages.
package httpbody

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// MaxPresized is how much memory, in bytes, a body gets because of its Content-Length
// alone. It gets as much again whenever that is full.
const MaxPresized = 64 << 10

// chunk is a part of a long body.
type chunk [MaxPresized]byte

// chunks is a pool of chunks, so that long bodies leave no garbage.
var chunks = sync.Pool{New: func() any { return new(chunk) }}

// Read reads a body to its end. length is its Content-Length, or negative if that is
// unknown. If the length is known, Read reads nothing beyond it, and an earlier end is
// [io.ErrUnexpectedEOF]. If Read fails, it also returns what it has read.
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

// readLong reads a body in chunks.
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

// fill reads until part is full, and returns how much was read.
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
