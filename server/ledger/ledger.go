// Package ledger records which calls with a request id were begun and how they ended, so
// that a call is sent to Diga at most once, however often its caller repeats it. A record
// contains no response and no secret: only ids, times, a state, and keyed digests of
// everything else.
//
// The implementations of [Store] have packages of their own. Package ledgertest tests
// each of them.
package ledger

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
)

// DefaultRetention is how long settled records are kept if no setting says otherwise.
const DefaultRetention = 24 * time.Hour

// State is the progress of a call.
type State int8

const (
	// Claimed means that the claim's owner is about to send the call. Nothing was sent.
	Claimed State = iota + 1
	// Sending means that the request may have left for Diga.
	Sending
	// Done means that Diga created the resource that the record names.
	Done
	// Unknown means that Diga may have created the resource, and that only a person or
	// the caller can find out: the call is in doubt. It is never sent again.
	Unknown
)

// String returns the state's name in lower case, as stores write it.
func (s State) String() string {
	switch s {
	case Claimed:
		return "claimed"
	case Sending:
		return "sending"
	case Done:
		return "done"
	case Unknown:
		return "unknown"
	default:
		return "invalid"
	}
}

// ParseState returns the state with the name.
func ParseState(name string) (State, error) {
	for s := Claimed; s <= Unknown; s++ {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, errors.New("ledger: a record has a state that does not exist")
}

// Digest is a keyed digest (HMAC-SHA-256).
type Digest [32]byte

// RecordName returns the name of the record with this key: 64 hexadecimal digits, by
// which operators find the record. It does not reveal the caller or the request id.
func (d Digest) RecordName() string {
	var name [2 * len(d)]byte
	hex.Encode(name[:], d[:])
	return string(name[:])
}

// NewDigest returns a random digest, which is not the key of any call.
func NewDigest() (d Digest) {
	_, _ = rand.Read(d[:]) // never fails
	return d
}

// Token distinguishes a claim from all other claims of the same key. The zero Token
// belongs to no claim.
type Token [16]byte

// NewToken returns a random token.
func NewToken() (t Token) {
	r := randomness.Get().(*random)
	defer randomness.Put(r)
	if len(r.left) < len(t) {
		_, _ = rand.Read(r.bytes[:]) // never fails
		r.left = r.bytes[:]
	}
	r.left = r.left[copy(t[:], r.left):]
	return t
}

// random holds random bytes for many tokens: a read for each token would take longer than
// everything else in a memory ledger.
type random struct {
	bytes [64 * len(Token{})]byte
	left  []byte
}

var randomness = sync.Pool{New: func() any { return new(random) }}

// Record is the record of one call.
type Record struct {
	// Key is the digest of the caller, the method and the request id.
	Key Digest
	// Fingerprint is the digest of the request.
	Fingerprint Digest
	// ParentID is the id of the call's parent resource: the template that is copied, or
	// the integration that gets a tool. It is empty if the call has no parent.
	ParentID string
	// Method is the name of the called method. It is empty in a record of an early
	// version.
	Method string
	// State is the progress of the call.
	State State
	// Token is the token of the claim that created the record.
	Token Token
	// CreatedID is the id of the created resource. It is empty unless the state is Done,
	// and for an id that was too long to store.
	CreatedID string
	// ClaimedAt is when the claim was made, by the store's clock.
	ClaimedAt time.Time
	// LapsedFor is the time since the lease expired, for a record in Unknown because its
	// lease expired: the owner may still be sending. It is zero for all other records,
	// including records that the owner moved to Unknown.
	LapsedFor time.Duration
}

// Claim is a request to claim a key.
type Claim struct {
	Key, Fingerprint Digest
	// ParentID and Method may be empty.
	ParentID, Method string
	Token            Token
	// Caller is the caller's number in this process. A store that limits each caller's
	// share counts records by it. 0 means no caller, to whom no limit applies.
	Caller uint64
	// Lease is how long the claim is valid unless it is renewed.
	Lease time.Duration
}

var (
	// ErrLost means that the claim no longer belongs to the token, or that its state does
	// not allow the change.
	ErrLost = errors.New("ledger: the claim is lost")
	// ErrKey means that the records were written with another HMAC key. None of them
	// would be found with the current key.
	ErrKey = errors.New("the ledger was written under another key")
	// ErrInvalid means that an argument is invalid. Nothing was changed, and the same
	// arguments will be refused again.
	ErrInvalid = errors.New("ledger: invalid argument")
	// ErrNamed means that another record names the same resource.
	ErrNamed = errors.New("ledger: another record names what was created")
	// ErrFull means that the store accepts no more claims until records have been
	// deleted.
	ErrFull = errors.New("the ledger holds as many records as it may")
	// ErrShare means that the store accepts no more claims of the caller until records
	// have been deleted, because the caller has used its share.
	ErrShare = errors.New("the caller has its share of the records that the ledger may hold")
	// ErrNone means that a ledger that must exist does not, and ErrOlder that the ledger
	// is from an earlier version of digate.
	ErrNone  = errors.New("there is no ledger")
	ErrOlder = errors.New("the ledger is of an older digate")
)

// Older returns an [ErrOlder] for a ledger with one schema version where another is
// needed.
func Older(has, needs int) error {
	return fmt.Errorf("%w (schema %d, and this one needs %d): use the digate of the servers, or start one of this version first", ErrOlder, has, needs)
}

// Reader is the part of [Store] that changes nothing.
type Reader interface {
	// HasKey returns [ErrKey] unless the stored key check equals check.
	HasKey(ctx context.Context, check Digest) error
	// Get returns the record for the key. found is false if there is none.
	Get(ctx context.Context, key Digest) (r Record, found bool, err error)
	// Named returns those of the ids that records in Done name. It accepts at most
	// [MaxNamed] ids.
	Named(ctx context.Context, createdIDs []string) ([]string, error)
	// List returns the records that match the query, the latest claim first.
	List(ctx context.Context, q Query) ([]Record, error)
	// Stats counts the records.
	Stats(ctx context.Context) (Stats, error)
	// Pool returns how many connections to the store's data are in use. It does not
	// access the store.
	Pool() Pool
	// Room returns how many records there are and may be. It does not access the store.
	Room() Room
}

// Store stores records. It is safe for concurrent use by goroutines, and by several
// processes if the kind of store can be shared. It uses only its own clock: the clocks of
// processes that share it may differ.
//
// When its lease expires, a record in Claimed is deleted and a record in Sending becomes
// Unknown. A record in Done or Unknown is deleted when the retention has passed since it
// entered that state. Methods never return a record that is due for deletion, whether or
// not it was swept.
//
// A method returns when its change is as durable as the store promises. An error other
// than [ErrLost], [ErrKey], [ErrInvalid], [ErrNamed], [ErrFull] and [ErrShare] means that
// the store was unavailable or did not respond: the change may or may not have been made.
// Claim, Renew, MarkDone and MarkUnknown can then be repeated, and return what they would
// have returned the first time. After a failed MarkSending, Release frees the key in
// either case.
//
// A method whose context has already ended changes nothing.
type Store interface {
	Reader
	// KeyCheck compares the check of the current HMAC key with the stored one, and stores
	// it if there is none. It returns [ErrKey] if they differ.
	KeyCheck(ctx context.Context, check Digest) error
	// Claim creates a record in Claimed and returns it with mine true, if the key has no
	// record. Otherwise it returns the existing record unchanged. mine is then true only
	// if that record is in Claimed and has this token.
	Claim(ctx context.Context, c Claim) (r Record, mine bool, err error)
	// Renew extends the lease of a claim in Claimed or Sending to the given time from
	// now.
	Renew(ctx context.Context, key Digest, token Token, lease time.Duration) error
	// MarkSending moves a claim from Claimed to Sending and renews its lease.
	MarkSending(ctx context.Context, key Digest, token Token, lease time.Duration) error
	// MarkDone moves a claim from Sending to Done. It also moves a record from Unknown to
	// Done if the record still has this token: the owner was slow, but knows the result
	// of its call. Repeating it with the same id is not an error.
	MarkDone(ctx context.Context, key Digest, token Token, createdID string) error
	// MarkUnknown moves a claim from Sending to Unknown, because its owner has stopped
	// sending. Repeating it is not an error.
	MarkUnknown(ctx context.Context, key Digest, token Token) error
	// Release deletes a claim in Claimed or Sending, or a record in Unknown that still
	// has this token: Diga created nothing, and the key can be claimed again.
	Release(ctx context.Context, key Digest, token Token) error
	// Resolve settles a record in Unknown: the record becomes Done with the id, or is
	// deleted if the id is empty. It returns [ErrLost] unless the record is in Unknown
	// and has this token, and [ErrNamed] if another record in Done names the id. If
	// several calls resolve to one id at the same time, one succeeds. MarkDone does not
	// check the id, because an owner knows what it created. If another record was
	// resolved to that id before, both records name it.
	Resolve(ctx context.Context, key Digest, token Token, createdID string) error
	// Sweep deletes up to limit records whose time has passed, settles up to limit
	// expired leases, and returns how many records it deleted. The retention of a record
	// that it settles begins at the end of the lease.
	Sweep(ctx context.Context, limit int) (int, error)
	// Close releases the store's resources. No other method may be running.
	Close() error
}
