// Package postgres keeps a ledger in a PostgreSQL database, which many replicas
// share. All times are the database's, so that the clocks of the replicas need
// not agree.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/digate/digate/server/ledger"
)

// tries is how often a statement is asked at most where it failed in a way that
// allows to ask it again.
const tries = 4

// Options say how the ledger is kept.
type Options struct {
	// Retention is how long settled records are kept; zero means
	// [ledger.DefaultRetention]. Those who share a ledger should agree on it.
	Retention time.Duration
}

// Store is a ledger in a database.
type Store struct {
	pool *pgxpool.Pool
	// retention is in microseconds, as the statements take durations.
	retention int64
}

var _ ledger.Store = (*Store)(nil)

// Open connects to the database that the URL names, and brings its schema up to
// date; replicas that start at once do so one after the other. The URL also says
// how to connect, as libpq has it (sslmode, sslrootcert, target_session_attrs,
// search_path …), and how the pool is kept, as pgxpool has it (pool_max_conns,
// pool_max_conn_lifetime …). No error quotes its password.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	if o.Retention <= 0 {
		o.Retention = ledger.DefaultRetention
	}
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, failure(err)
	}
	if err := migrate(ctx, pool); err != nil {
		pool.Close()
		return nil, failure(err)
	}
	return &Store{pool: pool, retention: o.Retention.Microseconds()}, nil
}

// Close implements [ledger.Store].
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// try asks until it is answered, where asking again is safe: where the database
// undid the statement by itself, or nothing of it left; and after an answer that
// was lost, where repeatable says that the same statement then does the same.
func (s *Store) try(ctx context.Context, repeatable bool, ask func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for n := 1; ; n++ {
		err := ask()
		switch {
		case err == nil:
			return nil
		case readOnly(err) && n == 1 && ctx.Err() == nil:
			// Nothing was written. Another server may be behind the address by now, or
			// this one may have become writable, which its sessions need not notice.
			s.pool.Reset()
		case n == tries || ctx.Err() != nil || readOnly(err):
			return failure(err)
		case undone(err):
		case connectionLost(err) && (repeatable || pgconn.SafeToRetry(err)):
			// The others were lost with it, as when the server was restarted.
			s.pool.Reset()
		default:
			return failure(err)
		}
	}
}

// undone says whether the database gave the statement up in favour of another.
func undone(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}

// readOnly says whether the session is on a server that only reads, as one that
// was demoted is.
func readOnly(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "25006"
}

// connectionLost says whether there was a connection and is none any more.
func connectionLost(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, "57P") // the server, or an operator, ended the session
	}
	return true
}

// failure says whose error it is.
func failure(err error) error { return fmt.Errorf("ledger: postgres: %w", err) }
