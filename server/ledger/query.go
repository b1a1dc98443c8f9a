package ledger

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

const (
	// MaxListed is the maximum number of records that List returns.
	MaxListed = 10_000
	// MaxCounted is the maximum to which Stats counts the records of a state. If it
	// returns this number, there may be more.
	MaxCounted = 100_000
)

// Query selects the records that List returns.
type Query struct {
	// State is the state of the records. Zero means any state.
	State State
	// ParentID is the id of their parent, in upper or lower case. Empty means any parent.
	ParentID string
	// Record is a prefix of their names, in hexadecimal digits. Empty means any name.
	Record string
	// Since is the earliest time of their claims. Zero means any time.
	Since time.Time
	// Limit is the maximum number of records to return: 1 to [MaxListed].
	Limit int
}

// Check returns [ErrInvalid] if the query is invalid.
func (q Query) Check() error {
	if q.Limit < 1 || q.Limit > MaxListed {
		return fmt.Errorf("%w: %d records at a time", ErrInvalid, q.Limit)
	}
	if q.ParentID != "" {
		if err := CheckID(q.ParentID); err != nil {
			return err
		}
	}
	_, _, err := q.Keys()
	return err
}

// Keys returns the first and the last key that a record of the query can have.
func (q Query) Keys() (first, last Digest, _ error) {
	for fill, key := range map[string]*Digest{"0": &first, "f": &last} {
		name := q.Record + strings.Repeat(fill, max(0, 2*len(key)-len(q.Record)))
		if n, err := hex.Decode(key[:], []byte(name)[:min(len(name), 2*len(key))]); err != nil || n != len(key) || len(name) > 2*len(key) {
			return first, last, fmt.Errorf("%w: the name of a record has up to %d hexadecimal digits", ErrInvalid, 2*len(key))
		}
	}
	return first, last, nil
}

// Matches reports whether the query, apart from its limit, selects the record.
func (q Query) Matches(r Record) bool {
	return (q.State == 0 || r.State == q.State) &&
		(q.Record == "" || strings.HasPrefix(r.Key.RecordName(), strings.ToLower(q.Record))) &&
		(q.ParentID == "" || strings.EqualFold(r.ParentID, q.ParentID)) &&
		(q.Since.IsZero() || !r.ClaimedAt.Before(q.Since))
}

// Stats are the numbers of records in a ledger.
type Stats struct {
	// Records is the number of records in each state, indexed by state, up to
	// [MaxCounted]. A record whose time has passed may be counted until it is swept.
	Records [Unknown + 1]int
	// OldestDoubt is the time since the oldest claim in Unknown, or zero if there is
	// none.
	OldestDoubt time.Duration
}

// Pool is the use of the connections to the store's data. It is zero for a store without
// connections.
type Pool struct {
	// InUse is the number of connections in use, and Limit the maximum.
	InUse, Limit int
	// Waits is how often a call has waited for a connection, and Waited the total time of
	// these waits.
	Waits  uint64
	Waited time.Duration
	// Writes is the load of the store's single writer. It is nil for a store without one.
	Writes *Writes
}

// Writes is the load of a single writer, which makes all changes in the order of their
// requests. It makes changes that wait at the same time in one batch.
type Writes struct {
	// Waiting is the number of changes that are waiting.
	Waiting int
	// Taken is the number of changes that the writer has accepted, Batches the number of
	// batches, and Waited the total time that changes have waited.
	Taken, Batches uint64
	Waited         time.Duration
}

// Room is how many records a store may hold. It is zero for a store without a limit.
type Room struct {
	// Records is the number of records, and Limit the maximum.
	Records, Limit int
	// Full is the number of claims refused with ErrFull, and Share the number refused
	// with ErrShare.
	Full, Share uint64
}
