package backend

import (
	"context"

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
	// open opens the store, and creates it if there is none.
	open func(ctx context.Context, location string, s ledger.Settings) (ledger.Store, error)
	// cause returns why a store could not be used.
	cause func(error) ledger.Cause
}

// drivers are the drivers of all engines. A new engine is an entry here and
// one in [ledger.Engines].
var drivers = map[*ledger.Engine]driver{
	ledger.Memory: {
		key: func(string) (ledger.Keys, error) { return ledger.RandomKeys(), nil },
		open: func(_ context.Context, _ string, s ledger.Settings) (ledger.Store, error) {
			return memory.New(memory.Options{Retention: s.Retention, MaxRecords: s.MemoryRecords}), nil
		},
		cause: ledger.CauseOf,
	},
	ledger.SQLite: {
		key: sqlite.Key,
		open: func(ctx context.Context, path string, s ledger.Settings) (ledger.Store, error) {
			return sqlite.Open(ctx, path, sqlite.Options{Retention: s.Retention})
		},
		cause: sqlite.Cause,
	},
	ledger.Postgres: {
		validate: postgres.CheckURL,
		open: func(ctx context.Context, url string, s ledger.Settings) (ledger.Store, error) {
			return postgres.Open(ctx, url, postgres.Options{Retention: s.Retention})
		},
		cause: postgres.Cause,
	},
}
