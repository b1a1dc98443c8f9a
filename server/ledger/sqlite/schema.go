package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/digate/digate/server/ledger"
)

// applicationID marks the file as a ledger of digate ("diga" in ASCII).
const applicationID = 0x64696761

// migrations bring the schema from one version to the next. The version of a file is
// the number of migrations that it has had. A migration that was released never
// changes.
//
// Times are microseconds since 1970. A record expires at until: in claimed and
// sending its lease runs out then, in done and unknown it is gone. Its lapsed_at is
// set if it is in unknown because its lease ran out, or may have: it is when that
// was.
var migrations = []string{`
	CREATE TABLE record (
		key            BLOB NOT NULL PRIMARY KEY,
		fingerprint    BLOB NOT NULL,
		template_id    TEXT NOT NULL,
		state          TEXT NOT NULL CHECK (state IN ('claimed', 'sending', 'done', 'unknown')),
		token          BLOB NOT NULL,
		integration_id TEXT NOT NULL DEFAULT '',
		claimed_at     INTEGER NOT NULL,
		until          INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE INDEX record_until ON record (until);
	CREATE INDEX record_integration ON record (integration_id) WHERE state = 'done';
	CREATE TABLE key_check (
		one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
		digest BLOB NOT NULL
	) STRICT;`, `
	ALTER TABLE record ADD COLUMN lapsed_at INTEGER;
	UPDATE record SET lapsed_at = unixepoch() * 1000000 WHERE state = 'unknown';`, `
	ALTER TABLE record ADD COLUMN method TEXT NOT NULL DEFAULT '';
	CREATE INDEX record_open ON record (claimed_at) WHERE state <> 'done';`,
}

// migrate brings the file to the newest schema. Of several processes that try at
// once, one does it and the others wait.
func migrate(ctx context.Context, conn *sql.Conn) (err error) {
	var mode string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file cannot be written ahead (journal mode %s)", mode)
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	version, err := schemaVersion(ctx, conn)
	if err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		step := fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d", migrations[version], applicationID, version+1)
		if _, err := conn.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

// migrated returns an error unless the file has the newest schema.
func migrated(ctx context.Context, conn *sql.Conn) error {
	switch version, err := schemaVersion(ctx, conn); {
	case err != nil:
		return err
	case version == 0:
		return fmt.Errorf("%w in the file", ledger.ErrNone)
	case version < len(migrations):
		return ledger.Older(version, len(migrations))
	default:
		return nil
	}
}

// schemaVersion returns how many migrations the file has had: 0 for an empty one.
func schemaVersion(ctx context.Context, conn *sql.Conn) (int, error) {
	var id, version, tables int
	err := conn.QueryRowContext(ctx, `SELECT
		(SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema)`).Scan(&id, &version, &tables)
	switch {
	case err != nil:
		return 0, err
	case id != applicationID && (id != 0 || version != 0 || tables != 0):
		return 0, errors.New("the file is a database, but not a ledger")
	case version > len(migrations):
		return 0, fmt.Errorf("the file is of a newer digate (schema %d, and this one knows %d)", version, len(migrations))
	}
	return version, nil
}
