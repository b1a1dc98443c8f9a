// Package file handles the files that a command line names.
package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// MaxSecret is the largest size of a file with a secret, in bytes.
const MaxSecret = 64 << 10

// ReadSecret reads a file that holds one secret, and removes a byte-order mark at
// its beginning and the line breaks at its end. The path - means stdin, unless stdin is nil. No error quotes the
// content.
func ReadSecret(path string, stdin io.Reader) (string, error) {
	r := stdin
	if path != "-" || stdin == nil {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, MaxSecret+1))
	if err != nil {
		return "", err
	}
	if len(b) > MaxSecret {
		return "", fmt.Errorf("is larger than %d bytes", MaxSecret)
	}
	if !utf8.Valid(b) {
		return "", errors.New("is not UTF-8")
	}
	s := strings.TrimRight(strings.TrimPrefix(string(b), "\ufeff"), "\r\n")
	if s == "" {
		return "", errors.New("is empty")
	}
	return s, nil
}
