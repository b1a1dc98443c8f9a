// Package postgres keeps a ledger in a PostgreSQL database, which many replicas
// can share. All times are the database's, so that the clocks of the replicas need
// not agree.
package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/digate/digate/server/ledger"
)

const (
	// tries bounds how often a statement is run whose connection breaks in a way that
	// allows repeating it.
	tries = 4
	// undoneTries bounds how often a statement is run that the database undoes in
	// favour of another, as it does under the isolation level serializable.
	undoneTries = 20
	// longestPause is the longest time between two tries.
	longestPause = 64 * time.Millisecond
)

// Options say how the ledger is kept.
type Options struct {
	// Retention is how long settled records are kept; zero means
	// [ledger.DefaultRetention]. Replicas that share a ledger should agree on it.
	Retention time.Duration
	// Existing means that the ledger has to be there, with the newest schema: nothing
	// is created or brought up to date.
	Existing bool
}

// Store is a ledger in a PostgreSQL database.
type Store struct {
	pool *pgxpool.Pool
	// retention is in microseconds, as the statements take durations.
	retention int64
}

var _ ledger.Store = (*Store)(nil)

// Open connects to the database that the URL names, and brings its schema up to
// date. Replicas that start at once migrate one after the other. A pooler may be in
// between, if it gives a whole transaction to one session. The URL may have libpq's
// options (sslmode, sslrootcert, target_session_attrs, search_path …) and pgxpool's
// (pool_max_conns, pool_max_conn_lifetime …). An error names host and database, and
// never user or password.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	if o.Retention <= 0 {
		o.Retention = ledger.DefaultRetention
	}
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	pooler, err := behindPooler(ctx, config.ConnConfig)
	if err != nil {
		return nil, openFailure(&config.ConnConfig.Config, pooler, err)
	}
	if pooler {
		useAnySession(config.ConnConfig)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, openFailure(&config.ConnConfig.Config, pooler, err)
	}
	if o.Existing {
		err = migrated(ctx, pool)
	} else {
		err = migrate(ctx, pool)
	}
	if err != nil {
		pool.Close()
		return nil, openFailure(&config.ConnConfig.Config, pooler, err)
	}
	return &Store{pool: pool, retention: o.Retention.Microseconds()}, nil
}

// Close implements [ledger.Store].
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// try runs ask until it succeeds, as far as repeating it is safe: if the database
// itself undid the statement, or if nothing of it was sent. After a lost response
// it repeats only if repeatable is set: running the statement twice has the effect
// of running it once.
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
			// Nothing was written. Another server may have the address by now, or this
			// one may have become writable, which its sessions need not notice.
			s.pool.Reset()
		case ctx.Err() != nil || readOnly(err):
			return callFailure(err)
		case undone(err) && n < undoneTries:
			pause(ctx, n)
		case n >= tries:
			return callFailure(err)
		case connectionLost(err) && (repeatable || pgconn.SafeToRetry(err)):
			// The others were lost with it, as when the server was restarted.
			s.pool.Reset()
		default:
			return callFailure(err)
		}
	}
}

// pause waits for a random time, longer after each failure, so that statements that
// undo each other do not meet again. It returns early if ctx ends.
func pause(ctx context.Context, failures int) {
	longest := min(time.Millisecond<<min(failures, 10), longestPause)
	timer := time.NewTimer(rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// undone reports whether the database gave up the statement in favour of another.
func undone(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}

// readOnly reports whether the session is on a server that only reads, such as a
// demoted one.
func readOnly(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == readOnlyTransaction
}

// readOnlyTransaction is the SQLSTATE of a change in a session that only reads.
const readOnlyTransaction = "25006"

// connectionLost reports whether an existing connection broke.
func connectionLost(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, classOfIntervening)
	}
	return true
}
