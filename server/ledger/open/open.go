// Package open opens the ledger that a setting names.
package open

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/memory"
	"github.com/digate/digate/server/ledger/postgres"
	"github.com/digate/digate/server/ledger/sqlite"
)

// Options say how to open it.
type Options struct {
	// Retention is how long a settled record is kept.
	Retention time.Duration
	// KeyFile holds the key of the digests. Empty is PATH.key for sqlite; postgres
	// needs one, since every replica has to have the same.
	KeyFile string
}

// The stores that a setting may name.
const (
	storeMemory   = "memory"
	storeSQLite   = "sqlite"
	storePostgres = "postgres"
)

// split returns the kind of store, and where it is.
func split(spec string) (kind, where string, err error) {
	kind, where, found := strings.Cut(spec, ":")
	switch {
	case spec == storeMemory:
		return storeMemory, "", nil
	case kind == storeSQLite && where != "":
		return storeSQLite, where, nil
	case (kind == "postgres" || kind == "postgresql") && strings.HasPrefix(where, "//"):
		return storePostgres, spec, nil
	case kind == storeSQLite || found && kind == storeMemory:
		return "", "", errors.New("must be memory or sqlite:PATH")
	default:
		return "", "", errors.New("must be memory, sqlite:PATH, or postgres://USER@HOST/DATABASE")
	}
}

// Validate says what is wrong with a setting, without opening anything. It
// quotes nothing of it.
func Validate(spec, keyFile string) error {
	kind, where, err := split(spec)
	switch {
	case err != nil || kind != storePostgres:
		return err
	case keyFile == "":
		return errors.New("postgres needs --ledger-key-file, the same for every server on one database")
	default:
		return postgres.CheckURL(where)
	}
}

// Open opens the ledger and the keys of its digests, having made sure that they
// belong together. A key file that a setting names must be there; the one beside
// an SQLite file is made with it.
func Open(ctx context.Context, spec string, o Options) (ledger.Store, ledger.Keys, error) {
	if err := Validate(spec, o.KeyFile); err != nil {
		return nil, ledger.Keys{}, err
	}
	kind, where, err := split(spec)
	if err != nil {
		return nil, ledger.Keys{}, err
	}
	var keys ledger.Keys
	switch {
	case o.KeyFile != "":
		keys, err = ledger.LoadKey(o.KeyFile)
	case kind == storeSQLite:
		keys, err = ledger.CreateKey(where + ".key")
	default:
		keys = ledger.RandomKeys()
	}
	if err != nil {
		return nil, ledger.Keys{}, err
	}
	var store ledger.Store
	switch kind {
	case storeSQLite:
		store, err = sqlite.Open(ctx, where, sqlite.Options{Retention: o.Retention})
	case storePostgres:
		store, err = postgres.Open(ctx, where, postgres.Options{Retention: o.Retention})
	default:
		store = memory.New(memory.Options{Retention: o.Retention})
	}
	if err != nil {
		return nil, ledger.Keys{}, err
	}
	if err := store.KeyCheck(ctx, keys.Check()); err != nil {
		return nil, ledger.Keys{}, errors.Join(fmt.Errorf("%s: %w", kind, err), store.Close())
	}
	return store, keys, nil
}
