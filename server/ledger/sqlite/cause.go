package sqlite

import (
	"errors"
	"io/fs"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/digate/digate/server/ledger"
)

// Cause returns why the store could not be used.
func Cause(err error) ledger.Cause {
	if errors.Is(err, errMoved) {
		return ledger.FileGone
	}
	if errors.Is(err, fs.ErrPermission) {
		return ledger.Auth
	}
	code, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return ledger.CauseOf(err)
	}
	switch code.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return ledger.Full
	case sqlite3.SQLITE_READONLY:
		return ledger.ReadOnly
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return ledger.Auth
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ledger.Timeout
	default:
		return ledger.Other
	}
}
