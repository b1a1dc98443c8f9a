package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/digate/digate/server/ledger"
)

// errUndone undoes the changes of a transaction.
var errUndone = errors.New("undone")

// Writable returns an error unless the database takes a record, which is undone.
func (s *Store) Writable(ctx context.Context) error {
	key, token := ledger.NewDigest(), ledger.NewToken()
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := record(tx.QueryRow(ctx, sqlClaim, key[:], s.retention, key[:], "", token[:], int64(1), "")); err != nil {
			return err
		}
		return errUndone
	})
	if errors.Is(err, errUndone) {
		return nil
	}
	return callFailure(err)
}

// MayMigrate returns an error unless a server could create the ledger in the database,
// or bring it up to date. The tables of a new ledger are made and undone; those of an
// older one are left alone, since servers use them.
func MayMigrate(ctx context.Context, url string) error {
	config, err := parse(url)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return openFailure(&config.ConnConfig.Config, false, err)
	}
	defer func() { _ = conn.Close(ctx) }()
	version, err := schemaVersion(ctx, conn)
	switch {
	case err != nil:
	case version == 0:
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, step := range migrations {
				if _, err := tx.Exec(ctx, step); err != nil {
					return err
				}
			}
			return errUndone
		})
	case version < len(migrations):
		var owner bool
		err = conn.QueryRow(ctx, `SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'digate_ledger_record'::regclass`).Scan(&owner)
		if err == nil && !owner {
			return errors.New("the ledger is of an older digate, and its tables belong to another role: start a server as that role once, which brings them up to date")
		}
	}
	if err != nil && !errors.Is(err, errUndone) {
		return openFailure(&config.ConnConfig.Config, false, err)
	}
	return nil
}
