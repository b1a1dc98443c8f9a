package setting

import (
	"errors"
	"io/fs"
	"slices"
	"syscall"
)

// mistakeError is an error in the configuration.
type mistakeError struct{ err error }

// Error returns the text of the error.
func (m *mistakeError) Error() string { return m.err.Error() }

// Unwrap returns the error.
func (m *mistakeError) Unwrap() error { return m.err }

// Mistaken marks err as an error in the configuration: in a setting, in an environment
// variable, or in a file that one of them names. A server that ended with it would end
// with it again until somebody changes the configuration. Mistaken returns nil for nil.
func Mistaken(err error) error {
	if err == nil {
		return nil
	}
	return &mistakeError{err}
}

// IsMistake reports whether an error was marked by [Mistaken], or wraps such an error.
func IsMistake(err error) bool {
	_, ok := errors.AsType[*mistakeError](err)
	return ok
}

// wrongPath are the errors of a path that does not exist or that this process may not
// use. Other errors of files and addresses are temporary: a disk is full, or a port is in
// use.
var wrongPath = []error{
	fs.ErrNotExist, fs.ErrPermission, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EROFS,
}

// OfPath returns the error of a path or address from the settings. It marks the error as
// [Mistaken] if the path is wrong or this process may not use it.
func OfPath(err error) error {
	if slices.ContainsFunc(wrongPath, func(wrong error) bool { return errors.Is(err, wrong) }) {
		return Mistaken(err)
	}
	return err
}
