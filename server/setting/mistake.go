package setting

import (
	"errors"
	"io/fs"
	"slices"
	"syscall"
)

// mistakeError is a mistake in the configuration.
type mistakeError struct{ err error }

// Error returns the text of the error.
func (m *mistakeError) Error() string { return m.err.Error() }

// Unwrap returns the error.
func (m *mistakeError) Unwrap() error { return m.err }

// Mistaken returns err as a mistake in the configuration, nil for nil: in a setting, in a
// variable of the environment, or in a file that one of them names. It stays until
// somebody changes one of these, so a server that ended with it would end with it again.
func Mistaken(err error) error {
	if err == nil {
		return nil
	}
	return &mistakeError{err}
}

// IsMistake reports whether an error is one of [Mistaken], or wraps one.
func IsMistake(err error) bool {
	_, ok := errors.AsType[*mistakeError](err)
	return ok
}

// wrongPath are the errors of a path that leads nowhere, or that this process may not
// use. Other errors of files and addresses pass: a disk is full, a port is taken.
var wrongPath = []error{
	fs.ErrNotExist, fs.ErrPermission, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EROFS,
}

// OfPath returns the error of a path or an address from the settings, as a mistake if
// the path is wrong, or closed to this process.
func OfPath(err error) error {
	if slices.ContainsFunc(wrongPath, func(wrong error) bool { return errors.Is(err, wrong) }) {
		return Mistaken(err)
	}
	return err
}
