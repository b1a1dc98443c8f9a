// Package certs reads certificates, keys and authorities from PEM files, and reads the
// files again when they change.
package certs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// File is a file that a setting names. Files with an empty path are not used.
type File struct{ Flag, Path string }

// Files are the files of one side of TLS connections.
type Files struct {
	// Certificate has the certificate of this side and its chain, and Key the private
	// key. Either both are set or neither.
	Certificate, Key File
	// Authorities has the authorities that verify the other side's certificate.
	Authorities File
}

// None reports whether no setting names a file.
func (f Files) None() bool {
	return f.Certificate.Path == "" && f.Key.Path == "" && f.Authorities.Path == ""
}

// FileError is the error of a file that a setting names.
type FileError struct {
	// Flag is the name of the flag without dashes.
	Flag string
	Err  error
}

// Error returns the text of the error with the flag.
func (e *FileError) Error() string { return "--" + e.Flag + ": " + e.Err.Error() }

// Unwrap returns the error without the flag.
func (e *FileError) Unwrap() error { return e.Err }

// content is the text of the files, in their order.
type content [3]text

// text is the content of a file, or why it could not be read.
type text struct {
	bytes []byte
	err   error
}

// maxFile is the maximum size of a file, in bytes. A bundle of all public authorities has
// a quarter of it.
const maxFile = 1 << 20

// read reads the files.
func (f Files) read() (c content) {
	for i, file := range []File{f.Certificate, f.Key, f.Authorities} {
		if file.Path != "" {
			c[i].bytes, c[i].err = readFile(file.Path)
		}
	}
	return c
}

func readFile(path string) ([]byte, error) {
	if strings.Contains(path, "-----BEGIN ") || strings.ContainsAny(path, "\r\n\x00") { // it may be a key, so it is not quoted
		return nil, errors.New("must be the path of a file, and is not one; it looks like what the file holds")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case !info.Mode().IsRegular(): // opening a named pipe would wait for a writer
		return nil, fmt.Errorf("%s is no regular file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxFile>>20)
	default:
		var b []byte
		if b, err = os.ReadFile(path); err == nil {
			return b, nil
		}
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("cannot read %s: %w", path, pe.Err)
	}
	return nil, err
}

// equal reports whether two readings are the same.
func (c *content) equal(other *content) bool {
	for i := range c {
		a, b := c[i], other[i]
		if !bytes.Equal(a.bytes, b.bytes) || (a.err == nil) != (b.err == nil) || a.err != nil && a.err.Error() != b.err.Error() {
			return false
		}
	}
	return true
}
