// Package former keeps the record of a call under two keys while servers change how they
// identify callers: the key from the caller's former identity, and the key from its own
// one.
//
// Servers before the change use only the former key, and servers after it only the own
// key. Servers in between claim both, so that a call is sent at most once, whichever
// server gets it again:
//
//   - They claim the former key first, and send only with both claims. So no server of
//     either other kind sends the call too.
//   - Both records have the token of one claim, which shows that they belong to one call.
//     If either of them is settled, the call is.
//   - A record under only one key counts too: it is from another server.
package former

import (
	"context"
	"errors"
	"time"

	"github.com/digate/digate/server/ledger"
)

// Store stores the records; see [ledger.Store].
type Store interface {
	Claim(ctx context.Context, c ledger.Claim) (r ledger.Record, mine bool, err error)
	Get(ctx context.Context, key ledger.Digest) (r ledger.Record, found bool, err error)
	Renew(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error
	MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error
	MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error
	MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error
	Release(ctx context.Context, key ledger.Digest, token ledger.Token) error
	Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error
	Named(ctx context.Context, createdIDs []string) ([]string, error)
}

// Ledger keeps the record of one call. Its methods take the own key, and do for both keys
// what [ledger.Store] does for one. For any other key they only call the store. A
// returned record has the key under which it was found.
type Ledger struct {
	Store

	own, former ledger.Digest
}

// New returns the ledger of the call with these keys.
func New(s Store, own, former ledger.Digest) *Ledger { return &Ledger{s, own, former} }

// Claim claims both keys. If the own key is not free, it releases the former one, so that
// servers before the change need not wait.
func (l *Ledger) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	if c.Key != l.own {
		return l.Store.Claim(ctx, c)
	}
	before := c
	before.Key = l.former
	r, mine, err := l.Store.Claim(ctx, before)
	if err != nil {
		return ledger.Record{}, false, err
	}
	if !mine {
		r, err = l.counting(ctx, r)
		return r, false, err
	}
	r, mine, err = l.Store.Claim(ctx, c)
	if err == nil && !mine {
		err = unlessLost(l.Store.Release(ctx, l.former, c.Token))
	}
	if err != nil {
		return ledger.Record{}, false, err
	}
	return r, mine, nil
}

// Get returns the record of the call.
func (l *Ledger) Get(ctx context.Context, key ledger.Digest) (ledger.Record, bool, error) {
	if key != l.own {
		return l.Store.Get(ctx, key)
	}
	r, found, err := l.Store.Get(ctx, l.former)
	switch {
	case err != nil:
		return ledger.Record{}, false, err
	case !found:
		return l.Store.Get(ctx, l.own)
	}
	r, err = l.counting(ctx, r)
	return r, err == nil, err
}

// counting returns the record that counts for a call whose former key has a record.
func (l *Ledger) counting(ctx context.Context, f ledger.Record) (ledger.Record, error) {
	if f.State == ledger.Claimed || f.State == ledger.Sending {
		return f, nil // its owner is alive
	}
	r, found, err := l.Store.Get(ctx, l.own)
	switch {
	case err != nil:
		return ledger.Record{}, err
	case !found:
		return f, nil
	case r.Token != f.Token: // two calls: a server did not use the former key
		return r, nil
	case f.State == ledger.Done && r.State != ledger.Done:
		l.complete(ctx, l.own, f)
		r.State, r.CreatedID, r.LapsedFor = ledger.Done, f.CreatedID, 0
	case r.State == ledger.Done && f.State != ledger.Done:
		l.complete(ctx, l.former, r)
	case f.LapsedFor == 0: // its owner said that it no longer sends
		r.LapsedFor = 0
	}
	return r, nil
}

// complete copies the result of a call to its record under a key. A failure changes
// nothing for this server, which knows the result from the other record.
func (l *Ledger) complete(ctx context.Context, key ledger.Digest, done ledger.Record) {
	if done.CreatedID != "" { // the id is empty if it was too long
		_ = l.Store.MarkDone(ctx, key, done.Token, done.CreatedID)
	}
}

// Renew renews both claims. If one of them is lost, the call has lost its claim.
func (l *Ledger) Renew(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	if key == l.own {
		if err := l.Store.Renew(ctx, l.former, token, lease); err != nil {
			return err
		}
	}
	return l.Store.Renew(ctx, key, token, lease)
}

// MarkSending marks both claims. If the own claim is lost, it releases the former one,
// under which nothing was sent.
func (l *Ledger) MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	if key != l.own {
		return l.Store.MarkSending(ctx, key, token, lease)
	}
	if err := l.Store.MarkSending(ctx, l.former, token, lease); err != nil {
		return err
	}
	err := l.Store.MarkSending(ctx, l.own, token, lease)
	if errors.Is(err, ledger.ErrLost) {
		_ = l.Store.Release(ctx, l.former, token) // otherwise it is in doubt when its lease expires
	}
	return err
}

// MarkDone records under both keys what the call created.
func (l *Ledger) MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	return l.both(key, func(key ledger.Digest) error { return l.Store.MarkDone(ctx, key, token, createdID) })
}

// MarkUnknown marks both records.
func (l *Ledger) MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return l.both(key, func(key ledger.Digest) error { return l.Store.MarkUnknown(ctx, key, token) })
}

// Release releases both keys.
func (l *Ledger) Release(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return l.both(key, func(key ledger.Digest) error { return l.Store.Release(ctx, key, token) })
}

// Resolve settles both records.
func (l *Ledger) Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	err := l.Store.Resolve(ctx, key, token, createdID)
	if err != nil || key != l.own {
		return err
	}
	if createdID == "" {
		return unlessLost(l.Store.Release(ctx, l.former, token))
	}
	// Resolve would refuse the id, because the own record already names it.
	return unlessLost(l.Store.MarkDone(ctx, l.former, token, createdID))
}

// both changes the own record and then the former one. The result for the own record
// counts, unless the former one could not be changed.
func (l *Ledger) both(key ledger.Digest, change func(ledger.Digest) error) error {
	err := change(key)
	if key != l.own || unlessLost(err) != nil {
		return err
	}
	if former := unlessLost(change(l.former)); former != nil {
		return former
	}
	return err
}

// unlessLost returns err, or nil if it is [ledger.ErrLost].
func unlessLost(err error) error {
	if errors.Is(err, ledger.ErrLost) {
		return nil
	}
	return err
}
