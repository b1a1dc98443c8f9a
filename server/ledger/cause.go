package ledger

import (
	"context"
	"errors"
)

// Cause is why a ledger could not be used. Its values are those of metrics and logs.
type Cause string

// The causes.
const (
	// Unreachable means that no connection could be opened, or that it broke.
	Unreachable Cause = "unreachable"
	// Auth means that the login was refused or a permission is missing.
	Auth Cause = "auth"
	// ReadOnly means that the data can be read but not written.
	ReadOnly Cause = "read_only"
	// Full means that there is no space for another record.
	Full Cause = "full"
	// FileGone means that the open file was moved or deleted.
	FileGone Cause = "file_gone"
	// Timeout means that the ledger did not respond in time.
	Timeout Cause = "timeout"
	// Other is any other cause.
	Other Cause = "other"
)

// Causes lists all causes.
var Causes = []Cause{Unreachable, Auth, ReadOnly, Full, FileGone, Timeout, Other}

// CauseOf returns the cause of an error that all stores have in common. The package of
// each store recognizes the errors of that store.
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

// IsDecision reports whether an error is a store's decision about a request. Any other
// error means that the store could not be used.
func IsDecision(err error) bool {
	for _, verdict := range []error{ErrLost, ErrKey, ErrInvalid, ErrNamed, ErrShare} {
		if errors.Is(err, verdict) {
			return true
		}
	}
	return false
}
