package ledger

import (
	"context"
	"errors"
)

// Cause is why a ledger could not be used, in a word.
type Cause string

// The causes.
const (
	// Unreachable means that no connection could be made, or that it broke.
	Unreachable Cause = "unreachable"
	// Auth means that the login was refused, or that a right is missing.
	Auth Cause = "auth"
	// ReadOnly means that the data can be read and not written.
	ReadOnly Cause = "read_only"
	// Full means that there is no room for another record.
	Full Cause = "full"
	// FileGone means that the open file is no longer where it was opened.
	FileGone Cause = "file_gone"
	// Timeout means that there was no reply in time.
	Timeout Cause = "timeout"
	// Other is every other cause.
	Other Cause = "other"
)

// Causes are all causes.
var Causes = []Cause{Unreachable, Auth, ReadOnly, Full, FileGone, Timeout, Other}

// CauseOf returns the cause of an error that every store has alike. Those of one
// store alone are known to its package.
func CauseOf(err error) Cause {
	switch {
	case errors.Is(err, ErrFull):
		return Full
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	default:
		return Other
	}
}

// IsVerdict reports whether an error of a store is a reply by its records. Any other
// error means that they could not be asked.
func IsVerdict(err error) bool {
	for _, verdict := range []error{ErrLost, ErrKey, ErrInvalid, ErrNamed, ErrShare} {
		if errors.Is(err, verdict) {
			return true
		}
	}
	return false
}
