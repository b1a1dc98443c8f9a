// Package ledger records which calls with a request id were begun and how they
// ended, so that a call is sent to Diga at most once, however often its caller
// repeats it. A record holds no response and no secret: only ids, times, a state,
// and keyed digests of everything else.
//
// The stores have packages of their own behind [Store]. Package ledgertest tests
// the contract of every store.
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

// DefaultRetention is how long settled records are kept unless a setting says
// otherwise.
const DefaultRetention = 24 * time.Hour

// State is how far a call came.
type State int8

const (
	// Claimed means that an owner is about to send the call. Nothing has left.
	Claimed State = iota + 1
	// Sending means that the request may have left for Diga.
	Sending
	// Done means that Diga made the resource that the record names.
	Done
	// Unknown means that Diga may have made the resource, and that only a person or
	// the caller can find out. The call is never sent again.
	Unknown
)

// String returns the state's name in lower case, as the stores write it.
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

// RecordName returns the name of the record with this key, by which operators
// find it: 64 hexadecimal digits. Neither the caller nor the request id can be
// read from it.
func (d Digest) RecordName() string {
	var name [2 * len(d)]byte
	hex.Encode(name[:], d[:])
	return string(name[:])
}

// NewDigest returns a random digest: the key of no call.
func NewDigest() (d Digest) {
	_, _ = rand.Read(d[:]) // never fails
	return d
}

// Token distinguishes one claim from every other claim of the same key. The zero
// token belongs to no claim.
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

// random is randomness for many tokens: reading it for each one takes longer than all else
// that a ledger in memory does.
type random struct {
	bytes [64 * len(Token{})]byte
	left  []byte
}

var randomness = sync.Pool{New: func() any { return new(random) }}

// Record describes one call.
type Record struct {
	// Key is the digest of the caller, the method and the request id.
	Key Digest
	// Fingerprint is the digest of the request.
	Fingerprint Digest
	// ParentID is the resource that the call names: the template that is copied, or
	// the integration that gets a tool. It is empty if the call names none.
	ParentID string
	// Method is the name of the method that was called, empty in a record of a digate
	// that did not write it.
	Method string
	// State is how far the call came.
	State State
	// Token is the token of the claim that made the record.
	Token Token
	// CreatedID is the id of the resource that was created; empty unless Done, and for
	// an id that is too long to be kept.
	CreatedID string
	// ClaimedAt is when the claim was made, by the store's clock.
	ClaimedAt time.Time
	// LapsedFor is the time since the lease ran out, for a record that is in
	// Unknown because its lease ran out: the owner may still be sending. It is zero
	// for every other record, also for one in Unknown that its owner reported.
	LapsedFor time.Duration
}

// Claim asks for a key.
type Claim struct {
	Key, Fingerprint Digest
	// ParentID and Method may be empty.
	ParentID, Method string
	Token            Token
	// Caller tells apart those who claim, as long as this process lives. A store that
	// gives every caller a share counts by it. A claim of 0 is nobody's, and is in no share.
	Caller uint64
	// Lease is how long the claim holds unless it is renewed.
	Lease time.Duration
}

var (
	// ErrLost means that the claim no longer belongs to the token, or that its
	// state does not allow the change.
	ErrLost = errors.New("ledger: the claim is lost")
	// ErrKey means that the records were written under another HMAC key than the
	// caller's. Under the caller's key none of them would be found.
	ErrKey = errors.New("the ledger was written under another key")
	// ErrInvalid means that an argument is out of bounds. Nothing was changed, and
	// the same arguments will be refused again.
	ErrInvalid = errors.New("ledger: invalid argument")
	// ErrNamed means that another record names the same resource.
	ErrNamed = errors.New("ledger: another record names what was created")
	// ErrFull means that the store takes no further claims until records are gone.
	ErrFull = errors.New("the ledger holds as many records as it may")
	// ErrShare means that the store takes no further claims of the caller until records
	// are gone: the caller has its share of those that there may be.
	ErrShare = errors.New("the caller has its share of the records that the ledger may hold")
	// ErrNone means that there is no ledger where one has to be, and ErrOlder that
	// there is one of an older digate.
	ErrNone  = errors.New("there is no ledger")
	ErrOlder = errors.New("the ledger is of an older digate")
)

// Older returns the [ErrOlder] of a ledger that has one schema and needs another.
func Older(has, needs int) error {
	return fmt.Errorf("%w (schema %d, and this one needs %d): use the digate of the servers, or start one of this version first", ErrOlder, has, needs)
}

// Reader is the part of a [Store] that changes nothing.
type Reader interface {
	// HasKey returns [ErrKey] unless the stored check is this one.
	HasKey(ctx context.Context, check Digest) error
	// Get returns the key's record; found is false if there is none.
	Get(ctx context.Context, key Digest) (r Record, found bool, err error)
	// Named returns which of the ids, at most [MaxNamed], records in Done name.
	Named(ctx context.Context, createdIDs []string) ([]string, error)
	// List returns the records that the query asks for, the latest claim first.
	List(ctx context.Context, q Query) ([]Record, error)
	// Stats counts the records.
	Stats(ctx context.Context) (Stats, error)
	// Pool returns how many connections to the store's data are in use. It asks
	// nobody.
	Pool() Pool
	// Room returns how many records there may be, and how many there are. It asks nobody.
	Room() Room
}

// Store keeps records. All methods may be used by many goroutines, and by many
// processes where the store can be shared. Times are the store's own: the clocks
// of the processes that share it need not agree.
//
// When a lease runs out, a record in Claimed is gone, and a record in Sending
// becomes Unknown. A record in Done or Unknown is gone once the retention has
// passed since it came into that state. No method returns a gone record, whether it
// was swept or not.
//
// A method returns once its change is as durable as the store promises. An error
// other than [ErrLost], [ErrKey], [ErrInvalid], [ErrNamed], [ErrFull] and [ErrShare]
// means that the store could not be asked or did not reply: the change may or may not have
// been made. Claim, Renew, MarkDone and MarkUnknown can then be repeated and return
// what they would have returned the first time. After a failed MarkSending, Release
// frees the key in either case.
//
// A context that has ended before a method is called changes nothing.
type Store interface {
	Reader
	// KeyCheck compares the check of the caller's HMAC key with the stored one, and
	// stores it if there is none. It returns [ErrKey] if they differ.
	KeyCheck(ctx context.Context, check Digest) error
	// Claim makes a record in Claimed and returns it with mine true, if the key has
	// no record. Otherwise it returns the existing record, unchanged; mine is true
	// only if that record is in Claimed and has this token.
	Claim(ctx context.Context, c Claim) (r Record, mine bool, err error)
	// Renew makes the lease of a claim in Claimed or Sending end that long from now.
	Renew(ctx context.Context, key Digest, token Token, lease time.Duration) error
	// MarkSending moves a claim from Claimed to Sending and renews its lease.
	MarkSending(ctx context.Context, key Digest, token Token, lease time.Duration) error
	// MarkDone moves a claim from Sending to Done. It also moves a record from
	// Unknown to Done while the record still has this token: the owner was slow, and
	// knows what became of its call. Repeating it with the same id is no error.
	MarkDone(ctx context.Context, key Digest, token Token, createdID string) error
	// MarkUnknown moves a claim from Sending to Unknown: its owner no longer sends.
	// Repeating it is no error.
	MarkUnknown(ctx context.Context, key Digest, token Token) error
	// Release removes a claim in Claimed or Sending, or a record in Unknown that
	// still has this token: Diga made nothing, and the key is free.
	Release(ctx context.Context, key Digest, token Token) error
	// Resolve settles a record in Unknown: the record becomes Done with the
	// id, or is removed if the id is empty. It returns [ErrLost] unless the
	// record is in Unknown and has this token, and [ErrNamed] if another record in
	// Done names the id: of several calls that resolve to one id at once, one
	// succeeds. MarkDone does not check that, since an owner knows what it made: if
	// another record was resolved to its id before, both name it.
	Resolve(ctx context.Context, key Digest, token Token, createdID string) error
	// Sweep removes up to limit gone records, settles up to limit leases that ran
	// out, and returns how many records it removed. The retention of a record that
	// it settles counts from the end of the lease.
	Sweep(ctx context.Context, limit int) (int, error)
	// Close releases what the store holds. No other method may be in use.
	Close() error
}
