// Package former keeps the record of a call under two keys, while servers change what a
// caller is: the key that the caller's former identity makes, and its own.
//
// The records of servers before the change have the former key alone, and those of
// servers after it have the own key alone. A call of the servers between holds both, so
// that it is sent at most once, whichever server gets it again:
//
//   - It claims the former key first, and sends only with both. So no server before the
//     change sends it too, and none after it.
//   - Both records have the token of one claim, by which they are known to be one call.
//     What is known of the call from either of them counts.
//   - A record under one key alone counts as well: it is that of another server.
package former

import (
	"context"
	"errors"
	"time"

	"github.com/digate/digate/server/ledger"
)

// Store is what the records are kept in: see [ledger.Store].
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

// Ledger keeps the record of one call. Its methods take the own key and do for both keys
// what [ledger.Store] says of one; for any other key they are those of the store. The
// record that it returns has the key under which it was found.
type Ledger struct {
	Store

	own, former ledger.Digest
}

// New returns the ledger of the call that has these keys.
func New(s Store, own, former ledger.Digest) *Ledger { return &Ledger{s, own, former} }

// Claim claims both keys. Where the own key is not free, it releases the former one, so
// that servers before the change are not kept waiting.
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
		return f, nil // its owner is there
	}
	r, found, err := l.Store.Get(ctx, l.own)
	switch {
	case err != nil:
		return ledger.Record{}, err
	case !found:
		return f, nil
	case r.Token != f.Token: // two calls: a server did without the former key
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

// complete records under a key what is known of its call. A failure changes nothing for
// this server, which knows it from the other record.
func (l *Ledger) complete(ctx context.Context, key ledger.Digest, done ledger.Record) {
	if done.CreatedID != "" { // it is empty for an id that is too long
		_ = l.Store.MarkDone(ctx, key, done.Token, done.CreatedID)
	}
}

// Renew renews both claims. A call that has lost one of them has lost its claim.
func (l *Ledger) Renew(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	if key == l.own {
		if err := l.Store.Renew(ctx, l.former, token, lease); err != nil {
			return err
		}
	}
	return l.Store.Renew(ctx, key, token, lease)
}

// MarkSending marks both claims. A call that has lost its own claim gives up the former
// one, which nothing was sent under.
func (l *Ledger) MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	if key != l.own {
		return l.Store.MarkSending(ctx, key, token, lease)
	}
	if err := l.Store.MarkSending(ctx, l.former, token, lease); err != nil {
		return err
	}
	err := l.Store.MarkSending(ctx, l.own, token, lease)
	if errors.Is(err, ledger.ErrLost) {
		_ = l.Store.Release(ctx, l.former, token) // or else it is in doubt when its lease ends
	}
	return err
}

// MarkDone records what the call created under both keys.
func (l *Ledger) MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	return l.both(key, func(key ledger.Digest) error { return l.Store.MarkDone(ctx, key, token, createdID) })
}

// MarkUnknown marks both records.
func (l *Ledger) MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return l.both(key, func(key ledger.Digest) error { return l.Store.MarkUnknown(ctx, key, token) })
}

// Release frees both keys.
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
	// Resolve would find that another record, which is the own one, names it.
	return unlessLost(l.Store.MarkDone(ctx, l.former, token, createdID))
}

// both changes the own record, then the former one. What became of the own one is what
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

// unlessLost returns an error that is not [ledger.ErrLost].
func unlessLost(err error) error {
	if errors.Is(err, ledger.ErrLost) {
		return nil
	}
	return err
}
