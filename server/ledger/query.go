package ledger

import (
	"encoding/hex"
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
)

// Query says which records List returns.
type Query struct {
	// State is the state of the records, zero for any.
	State State
	// ParentID is their parent's id in any case, empty for any.
	ParentID string
	// Record is how their names begin, in hexadecimal digits; empty for any.
	Record string
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
		if err := CheckID(q.ParentID); err != nil {
			return err
		}
	}
	_, _, err := q.Keys()
	return err
}

// Keys returns the first and the last key of the records with such names.
func (q Query) Keys() (first, last Digest, _ error) {
	for fill, key := range map[string]*Digest{"0": &first, "f": &last} {
		name := q.Record + strings.Repeat(fill, max(0, 2*len(key)-len(q.Record)))
		if n, err := hex.Decode(key[:], []byte(name)[:min(len(name), 2*len(key))]); err != nil || n != len(key) || len(name) > 2*len(key) {
			return first, last, fmt.Errorf("%w: the name of a record has up to %d hexadecimal digits", ErrInvalid, 2*len(key))
		}
	}
	return first, last, nil
}

// Matches reports whether a query that is not limited returns the record.
func (q Query) Matches(r Record) bool {
	return (q.State == 0 || r.State == q.State) &&
		(q.Record == "" || strings.HasPrefix(r.Key.RecordName(), strings.ToLower(q.Record))) &&
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
	// Waits is how often a call had to wait for one, and Waited how long all of them did.
	Waits  uint64
	Waited time.Duration
	// Writes are the changes that one writer makes for all. It is nil for a store that has
	// none.
	Writes *Writes
}

// Writes are the changes of a store with one writer, which makes them in the order in which
// they come, and those that wait at the same time together.
type Writes struct {
	// Waiting is how many wait at this moment.
	Waiting int
	// Taken counts those that the writer took, and Batches how often it took some. Waited
	// is how long all of them waited.
	Taken, Batches uint64
	Waited         time.Duration
}

// Room is what a store has room for. It is zero for a store that has no bound of its
// own.
type Room struct {
	// Records is how many records there are, and Limit how many there may be.
	Records, Limit int
	// Full counts the claims that were [ErrFull], and Share those that were [ErrShare].
	Full, Share uint64
}
