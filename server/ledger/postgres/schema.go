package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/digate/digate/server/ledger"
)

// migrationLock is the advisory lock of a migration ("digate" in ASCII).
const migrationLock = 0x646967617465

// undefinedTable is the SQLSTATE of a table that does not exist.
const undefinedTable = "42P01"

// migrations bring the schema from one version to the next. The version of a
// database is the number of migrations that it has had. A migration that was
// released never changes.
//
// A record expires at until: in claimed and sending its lease runs out then, in done
// and unknown it is gone. Its lapsed_at is set if it is in unknown because its lease
// ran out, or may have: it is when that was.
var migrations = []string{`
	CREATE TABLE digate_ledger_meta (
		name  text PRIMARY KEY,
		value bytea NOT NULL
	);
	CREATE TABLE digate_ledger_record (
		key            bytea PRIMARY KEY,
		fingerprint    bytea NOT NULL,
		template_id    text NOT NULL,
		state          text NOT NULL CHECK (state IN ('claimed', 'sending', 'done', 'unknown')),
		token          bytea NOT NULL,
		integration_id text NOT NULL DEFAULT '',
		claimed_at     timestamptz NOT NULL,
		until          timestamptz NOT NULL
	);
	CREATE INDEX digate_ledger_record_until ON digate_ledger_record (until);
	CREATE INDEX digate_ledger_record_integration ON digate_ledger_record (integration_id) WHERE state = 'done';`, `
	ALTER TABLE digate_ledger_record ADD COLUMN lapsed_at timestamptz;
	UPDATE digate_ledger_record SET lapsed_at = clock_timestamp() WHERE state = 'unknown';`, `
	ALTER TABLE digate_ledger_record ADD COLUMN method text NOT NULL DEFAULT '';
	CREATE INDEX digate_ledger_record_open ON digate_ledger_record (claimed_at) WHERE state <> 'done';`,
}

// migrate brings the database to the newest schema. If it has that schema, nothing
// is written, so that a role that may not create tables suffices.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	if version, err := schemaVersion(ctx, pool); err != nil || version == len(migrations) {
		return err
	}
	return pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrationLock)); err != nil {
			return err
		}
		// Another replica may have migrated while this one waited for the lock.
		version, err := schemaVersion(ctx, tx)
		if err != nil || version == len(migrations) {
			return err
		}
		for _, step := range migrations[version:] {
			if _, err := tx.Exec(ctx, step); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `INSERT INTO digate_ledger_meta (name, value) VALUES ('schema', $1)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, []byte(strconv.Itoa(len(migrations))))
		return err
	})
}

// migrated returns an error unless the database has the newest schema.
func migrated(ctx context.Context, pool *pgxpool.Pool) error {
	switch version, err := schemaVersion(ctx, pool); {
	case err != nil:
		return err
	case version == 0:
		return fmt.Errorf("%w in the database", ledger.ErrNone)
	case version < len(migrations):
		return ledger.Older(version, len(migrations))
	default:
		return nil
	}
}

// schemaVersion returns how many migrations the database has had. It asks the
// table itself, in a transaction of its own: to_regclass would return what
// the session knew before it waited for the lock.
func schemaVersion(ctx context.Context, db interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}) (int, error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	var text []byte
	err = tx.QueryRow(ctx, `SELECT value FROM digate_ledger_meta WHERE name = 'schema'`).Scan(&text)
	if missing := (*pgconn.PgError)(nil); errors.As(err, &missing) && missing.Code == undefinedTable {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	version, err := strconv.Atoi(string(text))
	switch {
	case err != nil || version < 1:
		return 0, errors.New("the database says nothing sensible of its schema")
	case version > len(migrations):
		return 0, fmt.Errorf("the database is of a newer digate (schema %d, and this one knows %d)", version, len(migrations))
	}
	return version, nil
}
