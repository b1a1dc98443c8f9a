// Package backend opens the ledger that the settings name: its store, and the key of its
// digests.
package backend

import (
	"context"
	"errors"
	"fmt"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/setting"
)

// Validate returns an error unless the settings name a ledger. It opens nothing and
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
	d := drivers[spec.Engine]
	if d.validate != nil {
		err = d.validate(spec.Location)
	}
	return spec, d, err
}

// Ledger is an open ledger.
type Ledger struct {
	ledger.Store
	Engine *ledger.Engine
	Keys   ledger.Keys
	// Cause returns the cause of a store's error.
	Cause func(error) ledger.Cause

	// Only for a store that was opened by OpenExisting. It is nil if the store has no
	// such method.
	writable func(context.Context) error
	backup   func(ctx context.Context, path string) error
	carer    carer
}

// Open opens the ledger. Without a key file in the settings, an SQLite ledger has a key
// file of its own (see [sqlite.Key]), and a memory ledger has a random key. Replicas that
// share a PostgreSQL database must share a key file. Open returns [ledger.ErrKey] if the
// records were written with another key. Its error begins with the flag that it is about.
// It is marked by [setting.Mistaken] unless it may be temporary, as a database's errors
// may be.
func Open(ctx context.Context, s ledger.Settings) (*Ledger, error) {
	spec, d, err := parse(s)
	if err != nil {
		return nil, setting.Mistaken(fmt.Errorf("--ledger: %w", err))
	}
	l := &Ledger{Engine: spec.Engine, Cause: d.cause}
	if s.KeyFile != "" {
		if l.Keys, err = ledger.LoadKey(s.KeyFile); err != nil {
			return nil, setting.Mistaken(fmt.Errorf("--ledger-key-file: %w", err))
		}
	} else if l.Keys, err = d.key(spec.Location); err != nil {
		return nil, fmt.Errorf("--ledger: %w", err)
	}
	store, err := d.open(ctx, spec.Location, s, false)
	if err != nil {
		return nil, fmt.Errorf("--ledger: %w", err)
	}
	l.Store = ledger.KeepAnyID(store)
	if err := l.KeyCheck(ctx, l.Keys.Check()); err != nil {
		return nil, errors.Join(keyFailure(err, s.KeyFile), l.Close())
	}
	return l, nil
}

// OpenExisting opens an existing ledger with its key and the newest schema. Unlike
// [Open], it creates and changes nothing. A memory ledger cannot be opened by another
// process.
func OpenExisting(ctx context.Context, s ledger.Settings) (*Ledger, error) {
	spec, d, err := parse(s)
	if err != nil {
		return nil, fmt.Errorf("--ledger: %w", err)
	}
	l := &Ledger{Engine: spec.Engine, Cause: d.cause}
	store, err := d.open(ctx, spec.Location, s, true)
	if err != nil {
		return nil, fmt.Errorf("--ledger: %w", err)
	}
	l.Store = ledger.KeepAnyID(store)
	if w, ok := store.(interface {
		Writable(ctx context.Context) error
	}); ok {
		l.writable = w.Writable
	}
	if b, ok := store.(interface {
		Backup(ctx context.Context, path string) error
	}); ok {
		l.backup = b.Backup
	}
	l.carer, _ = store.(carer)
	keyFile := s.KeyFile
	if keyFile == "" {
		keyFile = d.keyFile(spec.Location)
	}
	if l.Keys, err = ledger.LoadKey(keyFile); err != nil {
		return nil, errors.Join(fmt.Errorf("--ledger-key-file: %w", err), l.Close())
	}
	if err := l.HasKey(ctx, l.Keys.Check()); err != nil {
		return nil, errors.Join(keyFailure(err, s.KeyFile), l.Close())
	}
	return l, nil
}

// keyFailure returns the error of a failed key check. If the ledger has another key, the
// error says which one to use.
func keyFailure(err error, keyFile string) error {
	switch {
	case !errors.Is(err, ledger.ErrKey):
		return fmt.Errorf("--ledger: %w", err)
	case keyFile == "":
		err = fmt.Errorf("--ledger: %w than the one in its key file: put back the key file that it was begun with", err)
	default:
		err = fmt.Errorf("--ledger: %w than the one in %s: name with --ledger-key-file the key file that it was begun with", err, keyFile)
	}
	return setting.Mistaken(err)
}
