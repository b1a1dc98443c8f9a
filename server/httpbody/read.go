// Package httpbody reads the bodies of HTTP messages whole.
package httpbody

import "io"

// MaxPresized is how much memory, in bytes, a body gets on the word of its
// Content-Length alone.
const MaxPresized = 64 << 10

// Read reads a body of the given Content-Length, which is negative where it is not
// known, to its end. A body whose length is known and small is read into memory of
// that length, and no read is tried beyond it. What came before an error is
// returned with it.
func Read(r io.Reader, length int64) ([]byte, error) {
	if length < 0 || length > MaxPresized {
		return io.ReadAll(r)
	}
	body := make([]byte, length)
	n, err := io.ReadFull(r, body)
	return body[:n], err
}
