// Package certs keeps what PEM files hold of certificates, keys and authorities, and
// takes what comes into these files while they are used.
package certs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// File is a file that a setting names. One with an empty path is left out.
type File struct{ Flag, Path string }

// Files are those of one side of TLS connections.
type Files struct {
	// Certificate holds the certificate of this side, followed by its chain, and Key
	// its private key. There is none of them or both.
	Certificate, Key File
	// Authorities holds the authorities that the other side's certificate is checked
	// against.
	Authorities File
}

// None reports whether no setting names a file.
func (f Files) None() bool {
	return f.Certificate.Path == "" && f.Key.Path == "" && f.Authorities.Path == ""
}

// FileError says what is wrong with the file of a setting.
type FileError struct {
	// Flag is that of the setting, without its dashes.
	Flag string
	Err  error
}

// Error names the flag.
func (e *FileError) Error() string { return "--" + e.Flag + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *FileError) Unwrap() error { return e.Err }

// content is the text of the files, in their order.
type content [3]text

// text is what a file held when it was read, or why it could not be read.
type text struct {
	bytes []byte
	err   error
}

// maxFile bounds a file, in bytes. The bundles of all public authorities have a
// quarter of it.
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
	if strings.Contains(path, "-----BEGIN ") || strings.ContainsAny(path, "\r\n\x00") { // a key, perhaps: it is not quoted
		return nil, errors.New("must be the path of a file, and is not one; it looks like what the file holds")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case !info.Mode().IsRegular(): // a pipe would be waited for
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

// equal reports whether two readings found the same.
func (c *content) equal(other *content) bool {
	for i := range c {
		a, b := c[i], other[i]
		if !bytes.Equal(a.bytes, b.bytes) || (a.err == nil) != (b.err == nil) || a.err != nil && a.err.Error() != b.err.Error() {
			return false
		}
	}
	return true
}
