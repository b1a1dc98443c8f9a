package ledger

import "time"

// Expired is the state of a record in an [Overview] that is gone and was not removed yet.
const Expired = "expired"

// Overview is what a ledger holds, for an operator.
type Overview struct {
	// Schema is the version of the ledger's schema.
	Schema int
	// Size is how many bytes the ledger takes where it is kept, with its indexes and
	// with room that it uses again.
	Size int64
	// Groups are the records by state and method.
	Groups []Group
}

// Group is the records of one state and one method.
type Group struct {
	// State is that of the records as they are now, or [Expired]. A record in Sending
	// whose lease ran out is in Unknown.
	State string
	// Method is empty for records of a digate that did not write it.
	Method  string
	Records int
	// Oldest and Newest are when the first and the last of them were claimed.
	Oldest, Newest time.Time
}

// MaxProblems bounds the problems of a kind that a check names one by one.
const MaxProblems = 20
