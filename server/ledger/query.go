package ledger

import (
	"fmt"
	"strings"
	"time"
)

const (
	// MaxListed is how many records List returns at most.
	MaxListed = 10_000
	// MaxCounted is how far Stats counts the records of a state. Where it returns
	// that many, there may be more.
	MaxCounted = 100_000
	// MaxMethodLen is how many bytes the name of a method may have.
	MaxMethodLen = 64
)

// Query says which records List returns.
type Query struct {
	// State is the state of the records, zero for any.
	State State
	// ParentID is their parent's id in any case, empty for any.
	ParentID string
	// Since is the earliest time of their claims, zero for any.
	Since time.Time
	// Limit is how many records are returned at most: 1 to [MaxListed].
	Limit int
}

// Check returns [ErrInvalid] if there can be no such query.
func (q Query) Check() error {
	if q.Limit < 1 || q.Limit > MaxListed {
		return fmt.Errorf("%w: %d records at a time", ErrInvalid, q.Limit)
	}
	if q.ParentID != "" {
		return CheckID(q.ParentID)
	}
	return nil
}

// Matches reports whether a query that is not limited returns the record.
func (q Query) Matches(r Record) bool {
	return (q.State == 0 || r.State == q.State) &&
		(q.ParentID == "" || strings.EqualFold(r.ParentID, q.ParentID)) &&
		(q.Since.IsZero() || !r.ClaimedAt.Before(q.Since))
}

// Stats is what a ledger holds.
type Stats struct {
	// Records has how many records there are of each state, by the state, up to
	// [MaxCounted]. A record whose time ran out may count as before until it is swept.
	Records [Unknown + 1]int
	// OldestDoubt is how long ago the oldest call in Unknown was claimed, zero if
	// there is none.
	OldestDoubt time.Duration
}

// Pool is the connections to the data of a store. It is zero for a store that needs
// none.
type Pool struct {
	// InUse is how many are at work, and Limit how many there may be.
	InUse, Limit int
	// Waits is how often a call had to wait for one.
	Waits uint64
}
