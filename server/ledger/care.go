package ledger

import "time"

// Expired is the state in an [Overview] of records whose time has passed and that were
// not deleted yet.
const Expired = "expired"

// Overview is a summary of a ledger for operators.
type Overview struct {
	// Schema is the version of the ledger's schema.
	Schema int
	// Size is how many bytes the ledger occupies, including indexes and space that it
	// will reuse.
	Size int64
	// Groups are the records by state and method.
	Groups []Group
}

// Group is the records with one state and one method.
type Group struct {
	// State is the current state of the records, or [Expired]. A record in Sending whose
	// lease has expired counts as Unknown.
	State string
	// Method is empty for records of early versions, which did not store it.
	Method  string
	Records int
	// Oldest and Newest are the times of the first and the last claim.
	Oldest, Newest time.Time
}

// MaxProblems is how many problems of a kind a check lists one by one.
const MaxProblems = 20
