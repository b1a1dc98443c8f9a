// Package backend opens the ledger that an operator names: its store, and the
// key that the digests in it are made with.
package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/memory"
	"github.com/digate/digate/server/ledger/postgres"
	"github.com/digate/digate/server/ledger/sqlite"
)

// Options say how the ledger is kept.
type Options struct {
	// Retention is how long settled records are kept; zero means
	// [ledger.DefaultRetention].
	Retention time.Duration
	// KeyFile holds the HMAC key, as [ledger.LoadKey] reads it. Replicas that share
	// a PostgreSQL database share it, and need it. An SQLite file without one has
	// its own beside it, with .key behind its name, which is made with the file.
	// A ledger in memory without one has a random key.
	KeyFile string
	// MemoryRecords bounds the records of a ledger in memory; zero means
	// [memory.DefaultMaxRecords].
	MemoryRecords int
}

const sqlitePrefix = "sqlite:"

// Validate says what is wrong with a spec and the path of a key file, which may
// be empty. It opens nothing, and quotes no password.
//
// A spec is memory, sqlite:PATH, or the postgres:// or postgresql:// URL of a
// database.
func Validate(spec, keyFile string) error {
	switch path, isSQLite := strings.CutPrefix(spec, sqlitePrefix); {
	case spec == "memory":
		return nil
	case isSQLite && path == "":
		return errors.New("sqlite: needs the path of a file behind it")
	case isSQLite && (strings.HasPrefix(path, ":memory:") || strings.ContainsRune(path, 0)):
		return errors.New("sqlite: needs the path of a file behind it (for a ledger in memory there is memory)")
	case isSQLite:
		return nil
	case isPostgres(spec):
		if err := postgres.CheckURL(spec); err != nil {
			return err
		}
		if keyFile == "" {
			return errors.New("a ledger in PostgreSQL needs a key file, the same for all replicas: 64 hexadecimal digits, as `openssl rand -hex 32` prints them")
		}
		return nil
	default:
		// Not quoted: it may be a URL with a password, and a mistake in its scheme.
		return errors.New("a ledger is memory, sqlite:PATH or postgres://…")
	}
}

func isPostgres(spec string) bool {
	return strings.HasPrefix(spec, "postgres://") || strings.HasPrefix(spec, "postgresql://")
}

// Open opens the ledger of the spec (see [Validate]). It is [ledger.ErrKey] where
// the records are under another key than the one that it was given or found.
func Open(ctx context.Context, spec string, o Options) (ledger.Store, ledger.Keys, error) {
	if err := Validate(spec, o.KeyFile); err != nil {
		return nil, ledger.Keys{}, err
	}
	path, isSQLite := strings.CutPrefix(spec, sqlitePrefix)
	var keys ledger.Keys
	var err error
	switch {
	case o.KeyFile != "":
		keys, err = ledger.LoadKey(o.KeyFile)
	case isSQLite:
		keys, err = keyBeside(path)
	default:
		keys = ledger.RandomKeys()
	}
	if err != nil {
		return nil, ledger.Keys{}, err
	}
	var store ledger.Store
	switch {
	case isSQLite:
		store, err = sqlite.Open(ctx, path, sqlite.Options{Retention: o.Retention})
	case isPostgres(spec):
		store, err = postgres.Open(ctx, spec, postgres.Options{Retention: o.Retention})
	default:
		store = memory.New(memory.Options{Retention: o.Retention, MaxRecords: o.MemoryRecords})
	}
	if err != nil {
		return nil, ledger.Keys{}, err
	}
	if err := store.KeyCheck(ctx, keys.Check()); err != nil {
		return nil, ledger.Keys{}, errors.Join(err, store.Close())
	}
	return store, keys, nil
}

// keyBeside returns the key beside an SQLite file. It makes both at the first
// start, the file before the key and empty, so that one of them without the other
// is something that was lost. To make what is missing would hide that, and send
// again what the records told of, or make a second start fail for another reason
// than the first.
func keyBeside(path string) (ledger.Keys, error) {
	keyFile := path + ".key"
	_, keyErr := os.Stat(keyFile) // first: somebody else may be making both
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && keyErr == nil:
		return ledger.Keys{}, fmt.Errorf("ledger: %s is missing, and its key %s is there: put it back, or remove the key too to begin without records", path, keyFile)
	case err == nil && info.Size() > 0:
		keys, err := ledger.LoadKey(keyFile)
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("ledger key: %s is missing, which %s was written under: put it back, or remove both to begin without records", keyFile, path)
		}
		return keys, err
	}
	if err := sqlite.Create(path); err != nil {
		return ledger.Keys{}, fmt.Errorf("ledger: %w", err)
	}
	return ledger.CreateKey(keyFile)
}
