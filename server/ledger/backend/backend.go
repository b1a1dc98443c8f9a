// Package backend opens the ledger that an operator names: its store, and the key
// that its digests are made with.
package backend

import (
	"context"
	"errors"

	"github.com/digate/digate/server/ledger"
)

// Validate returns what is wrong with where the ledger is. It opens nothing, and
// quotes no password.
func Validate(s ledger.Settings) error {
	_, _, err := parse(s)
	return err
}

func parse(s ledger.Settings) (ledger.Spec, driver, error) {
	spec, err := ledger.ParseSpec(s.Spec, s.KeyFile)
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

// Open opens the ledger. Without a key file, an SQLite file has its own, as
// [sqlite.Key] makes it, and a ledger in memory has a random key. Replicas that
// share a PostgreSQL database need a key file and share it. Open returns
// [ledger.ErrKey] if the records were written under another key than the one that
// was given or found.
func Open(ctx context.Context, s ledger.Settings) (*Ledger, error) {
	spec, d, err := parse(s)
	if err != nil {
		return nil, err
	}
	l := &Ledger{Kind: spec.Kind}
	if s.KeyFile != "" {
		l.Keys, err = ledger.LoadKey(s.KeyFile)
	} else {
		l.Keys, err = d.key(spec.Location)
	}
	if err != nil {
		return nil, err
	}
	if l.Store, err = d.open(ctx, spec.Location, s); err != nil {
		return nil, err
	}
	if err := l.KeyCheck(ctx, l.Keys.Check()); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
