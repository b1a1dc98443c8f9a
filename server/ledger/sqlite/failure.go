package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/digate/digate/server/setting"
)

// openError is the failure to open a file. If possible, it says what to do.
type openError struct {
	path string
	err  error
}

func (e *openError) Error() string {
	cause, advice := e.cause()
	if advice != "" {
		advice = "; " + advice
	}
	return fmt.Sprintf("cannot open the SQLite file %s: %s%s", e.path, cause, advice)
}

func (e *openError) Unwrap() error { return e.err }

// failedOpen returns the error of a file that could not be opened. It is a
// mistake ([setting.Mistaken]) if the path is wrong or closed to this process, or if the file is
// none of SQLite's. A locked file is free later, and a full disk has room later.
func failedOpen(path string, err error) error {
	failure := &openError{path, err}
	if code, ok := errors.AsType[*sqlite.Error](err); ok {
		switch code.Code() & 0xff {
		case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOTADB:
			return setting.Mistaken(failure)
		}
	}
	return setting.OfPath(failure)
}

// cause returns what went wrong, and what to do about it. The latter may be empty.
func (e *openError) cause() (cause, advice string) {
	dir := filepath.Dir(e.path)
	if info, err := os.Stat(e.path); err == nil && info.IsDir() {
		return "it is a directory", "name a file in it"
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "the directory " + dir + " does not exist", "create it, or name another file"
	}
	const permissions = "the user that runs digate must be able to read and write the file, and to create files beside it"
	if errors.Is(e.err, fs.ErrPermission) {
		return "permission denied", permissions
	}
	if errors.Is(e.err, context.DeadlineExceeded) {
		return "it was not free in time", "end the program that has locked it"
	}
	code, ok := errors.AsType[*sqlite.Error](e.err)
	if !ok {
		return e.err.Error(), ""
	}
	switch code.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "it is locked", "end the program that has locked it"
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return "SQLite cannot read or write it", permissions
	case sqlite3.SQLITE_NOTADB:
		return "it is not a database", "name another file"
	default:
		return code.Error(), ""
	}
}
