package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// behindPooler reports whether a connection pooler such as PgBouncer is between
// digate and the database. A pooler tells its clients a process id of its own, the
// database that of the session's process.
func behindPooler(ctx context.Context, config *pgx.ConnConfig) (bool, error) {
	config = config.Copy()
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, err
	}
	var pid uint32
	err = conn.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid)
	if closeErr := conn.Close(ctx); err == nil {
		err = closeErr
	}
	return pid != conn.PgConn().PID(), err
}

// useAnySession lets statements run behind a pooler that gives each transaction
// another session: no session has statements that were prepared before.
func useAnySession(config *pgx.ConnConfig) {
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 0, 0
}
