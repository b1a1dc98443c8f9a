// Package backend opens the ledger that an operator names: its store, and the key
// that its digests are made with.
package backend

import (
	"context"
	"errors"
	"time"

	"github.com/digate/digate/server/ledger"
)

// Options say how the ledger is kept.
type Options struct {
	// Retention is how long settled records are kept; zero means
	// [ledger.DefaultRetention].
	Retention time.Duration
	// KeyFile holds the HMAC key, as [ledger.LoadKey] reads it. Replicas that share
	// a PostgreSQL database need it and share it. Without one, an SQLite file has
	// its own key file, as [sqlite.Key] makes it, and a ledger in memory has a
	// random key.
	KeyFile string
	// MemoryRecords bounds the records of a ledger in memory; zero means
	// [memory.DefaultMaxRecords].
	MemoryRecords int
}

// Validate returns what is wrong with a --ledger value and the path of a key
// file, which may be empty. It opens nothing, and quotes no password.
func Validate(spec, keyFile string) error {
	_, _, err := parse(spec, keyFile)
	return err
}

func parse(text, keyFile string) (ledger.Spec, driver, error) {
	spec, err := ledger.ParseSpec(text, keyFile)
	if err != nil {
		return spec, driver{}, err
	}
	d := drivers[spec.Kind]
	if d.validate != nil {
		err = d.validate(spec.Location)
	}
	return spec, d, err
}

// Ledger is an open ledger.
type Ledger struct {
	ledger.Store
	Kind *ledger.Kind
	Keys ledger.Keys
}

// Open opens the ledger of a --ledger value, which [Validate] describes. It
// returns [ledger.ErrKey] if the records were written under another key than the
// one that was given or found.
func Open(ctx context.Context, text string, o Options) (*Ledger, error) {
	spec, d, err := parse(text, o.KeyFile)
	if err != nil {
		return nil, err
	}
	l := &Ledger{Kind: spec.Kind}
	if o.KeyFile != "" {
		l.Keys, err = ledger.LoadKey(o.KeyFile)
	} else {
		l.Keys, err = d.key(spec.Location)
	}
	if err != nil {
		return nil, err
	}
	if l.Store, err = d.open(ctx, spec.Location, o); err != nil {
		return nil, err
	}
	if err := l.KeyCheck(ctx, l.Keys.Check()); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
