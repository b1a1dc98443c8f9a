package backend

import (
	"context"
	"errors"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/memory"
	"github.com/digate/digate/server/ledger/postgres"
	"github.com/digate/digate/server/ledger/sqlite"
)

// driver opens the stores of one engine.
type driver struct {
	// validate checks a location further than [ledger.ParseSpec] does; nil if there is
	// nothing more to check.
	validate func(location string) error
	// key returns the key of a ledger without a key file; nil if the engine needs one.
	key func(location string) (ledger.Keys, error)
	// keyFile returns the name of the key file of a ledger without a given one; nil if
	// the engine needs one, or has none.
	keyFile func(location string) string
	// open opens the store. It creates the store if there is none, unless that has to
	// be there.
	open func(ctx context.Context, location string, s ledger.Settings, existing bool) (ledger.Store, error)
	// mayMigrate returns an error unless a store that is not there can be created, and
	// one of an older digate brought up to date; nil if there is never any.
	mayMigrate func(ctx context.Context, location string) error
	// cause returns why a store could not be used.
	cause func(error) ledger.Cause
}

// drivers are the drivers of all engines. A new engine is an entry here and
// one in [ledger.Engines].
var drivers = map[*ledger.Engine]driver{
	ledger.Memory: {
		key: func(string) (ledger.Keys, error) { return ledger.RandomKeys(), nil },
		open: func(_ context.Context, _ string, s ledger.Settings, existing bool) (ledger.Store, error) {
			if existing {
				return nil, errors.New("a ledger in memory is that of its server alone")
			}
			return memory.New(memory.Options{Retention: s.Retention, MaxRecords: s.MemoryRecords}), nil
		},
		cause: ledger.CauseOf,
	},
	ledger.SQLite: {
		key:     sqlite.Key,
		keyFile: sqlite.KeyFile,
		open: func(ctx context.Context, path string, s ledger.Settings, existing bool) (ledger.Store, error) {
			return sqlite.Open(ctx, path, sqlite.Options{Retention: s.Retention, Existing: existing})
		},
		mayMigrate: func(_ context.Context, path string) error { return sqlite.MayCreate(path) },
		cause:      sqlite.Cause,
	},
	ledger.Postgres: {
		validate: postgres.CheckURL,
		open: func(ctx context.Context, url string, s ledger.Settings, existing bool) (ledger.Store, error) {
			return postgres.Open(ctx, url, postgres.Options{Retention: s.Retention, Existing: existing})
		},
		mayMigrate: postgres.MayMigrate,
		cause:      postgres.Cause,
	},
}
