// Package httpbody reads the bodies of HTTP messages whole.
package httpbody

import (
	"errors"
	"io"
)

// MaxPresized is how much memory, in bytes, a body gets on the word of its
// Content-Length alone. It gets more as it arrives: twice what is there.
const MaxPresized = 64 << 10

// Read reads a body of the given Content-Length, which is negative where it is not
// known, to its end. Of a body whose length is known, no read is tried beyond it, and an
// end before it is [io.ErrUnexpectedEOF]. What came before an error is returned with it.
func Read(r io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		return io.ReadAll(r)
	}
	size := length
	for size > MaxPresized {
		size = (size + 1) / 2 // doubled as often, it is the length
	}
	body := make([]byte, size)
	n := 0
	for int64(n) < length {
		if n == len(body) {
			more := make([]byte, min(length, 2*int64(n)))
			copy(more, body)
			body = more
		}
		m, err := r.Read(body[n:])
		n += m
		if errors.Is(err, io.EOF) && int64(n) < length {
			return body[:n], io.ErrUnexpectedEOF
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return body[:n], err
		}
	}
	return body, nil
}
