// Package ledger records which calls with a request id were begun and what came
// of them, so that a call is sent to the vendor at most once however often it is
// asked for. The records hold no answer and no secret: ids, times, states, and
// keyed digests of all else.
//
// The stores stand in packages of their own, behind [Store]; package ledgertest
// is the contract that each of them meets.
package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// DefaultRetention is how long settled records are kept where nothing else is
// said.
const DefaultRetention = 24 * time.Hour

// State is how far a call came.
type State int8

const (
	// Claimed: somebody is about to send it. Nothing has left.
	Claimed State = iota + 1
	// Sending: it may have left for the vendor.
	Sending
	// Done: the vendor did it; the record names the integration.
	Done
	// Unknown: it may have been done, and only a person or the caller can find
	// out. It is never sent again.
	Unknown
)

// String returns the state's name in lower case, as it stands in the stores.
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

// ParseState returns the state of that name.
func ParseState(name string) (State, error) {
	for s := Claimed; s <= Unknown; s++ {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, errors.New("ledger: a record in no state that there is")
}

// Digest is a keyed digest (HMAC-SHA-256).
type Digest [32]byte

// Token tells one claim from every other one of the same key. The zero token is
// none.
type Token [16]byte

// NewToken returns a random token.
func NewToken() (t Token) {
	_, _ = rand.Read(t[:]) // never fails
	return t
}

// Record is what is known of one call.
type Record struct {
	// Key is the caller and its request id.
	Key Digest
	// Fingerprint is the request.
	Fingerprint Digest
	// TemplateID is the template that is copied.
	TemplateID string
	// State is how far it came.
	State State
	// Token is the claim that the record is of.
	Token Token
	// IntegrationID is what was made; empty unless Done.
	IntegrationID string
	// ClaimedAt is when the claim was made, by the store's clock.
	ClaimedAt time.Time
	// LapsedFor is how long ago the lease ran out of a record in Unknown whose
	// owner did not say itself that it is in doubt: the owner may still be at it.
	// It is more than zero then, and zero else.
	LapsedFor time.Duration
}

// Claim asks for a key.
type Claim struct {
	Key, Fingerprint Digest
	TemplateID       string
	Token            Token
	// Lease is how long the claim holds unless it is renewed.
	Lease time.Duration
}

var (
	// ErrLost means that the claim is not the token's any more, or not in a state
	// that the change could be made from.
	ErrLost = errors.New("ledger: the claim is lost")
	// ErrKey means that the records are under another HMAC key than the caller's,
	// which would find none of them.
	ErrKey = errors.New("the ledger was written under another key")
	// ErrInvalid means that an argument is out of bounds. Nothing was changed, and
	// nothing would be if it were asked again.
	ErrInvalid = errors.New("ledger: invalid argument")
	// ErrNamed means that another record names the integration.
	ErrNamed = errors.New("ledger: another record names the integration")
	// ErrFull means that the store takes no further claims until records are gone.
	ErrFull = errors.New("the ledger holds as many records as it may")
)

// Store keeps records. All of its methods may be used by many goroutines, and
// by many processes where the store can be shared. Times are the store's own:
// the clocks of those who share it need not agree.
//
// A lease that ran out settles its record before anything else sees it: one in
// Claimed is gone, one in Sending becomes Unknown. A record in Done or Unknown
// is gone when the retention has passed since it came into that state. Gone
// records are as if they had never been, whether swept or not.
//
// A method returns once its change will survive what the store promises to
// survive. An error other than [ErrLost], [ErrKey], [ErrInvalid], [ErrNamed] and
// [ErrFull] means that the store could not be asked or did not answer: the change
// may have been made or not. Claim, Renew, Finish and Doubt can then be asked again, and say the
// same as if the first time had not been. Where Send failed, Release frees the
// key whether the record had come to Sending or not.
//
// A context that has ended before a method is called changes nothing.
type Store interface {
	// KeyCheck keeps the check of the HMAC key that the digests are made with.
	// The first caller's is stored; it is [ErrKey] where another one is stored.
	KeyCheck(ctx context.Context, check Digest) error
	// Claim makes a record in Claimed, where the key has none, and returns it;
	// else it returns the one that is there, with mine false. Where that one is in
	// Claimed and of the very same token, mine is true and nothing is changed.
	Claim(ctx context.Context, c Claim) (r Record, mine bool, err error)
	// Get returns the key's record; found is false where there is none.
	Get(ctx context.Context, key Digest) (r Record, found bool, err error)
	// Renew extends the lease of a claim, in Claimed or Sending, to that long
	// from now.
	Renew(ctx context.Context, key Digest, token Token, lease time.Duration) error
	// Send moves a claim from Claimed to Sending and renews its lease.
	Send(ctx context.Context, key Digest, token Token, lease time.Duration) error
	// Finish moves a claim from Sending to Done. It does so from Unknown too,
	// where the token is still the record's: an owner that was slow knows better
	// than the lease that it let run out. That it is Done already, with the same
	// integration, is no error.
	Finish(ctx context.Context, key Digest, token Token, integrationID string) error
	// Doubt moves a claim from Sending to Unknown: its owner sends nothing any
	// more. That it is Unknown already is no error.
	Doubt(ctx context.Context, key Digest, token Token) error
	// Release removes a claim in Claimed or Sending, or in Unknown where the
	// token is still the record's: nothing was done, and the key is free.
	Release(ctx context.Context, key Digest, token Token) error
	// Resolve settles a record in Unknown: it becomes Done with the integration,
	// or is removed where the id is empty. It is [ErrLost] unless the record is
	// in Unknown and of this token, and [ErrNamed] where another record in Done
	// names the integration: of those who resolve to one at once, one does. Finish
	// asks for nothing of the kind, since an owner knows what it made: where its
	// integration was given to another record before, both name it.
	Resolve(ctx context.Context, key Digest, token Token, integrationID string) error
	// Named returns those of the integration ids, at most [MaxNamed], that a record
	// in Done names.
	Named(ctx context.Context, integrationIDs []string) ([]string, error)
	// Sweep removes up to limit gone records, settles up to limit leases that ran
	// out, and returns how many it removed.
	Sweep(ctx context.Context, limit int) (int, error)
	// Close releases what the store holds. No other method may be in use.
	Close() error
}
