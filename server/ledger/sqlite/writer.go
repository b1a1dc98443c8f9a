package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/digate/digate/server/ledger"
)

// maxBatch is how many changes one transaction makes at most.
const maxBatch = 256

// errClosed is the error of a call after Close.
var errClosed = errors.New("ledger: closed")

// writer makes all changes on one connection. The changes that come while it writes
// go together into the next transaction, and so share the wait for the disk, which
// is nearly all that a change costs.
type writer struct {
	db         *sql.DB
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	identity   *identity
	existing   bool // the file is not brought up to date

	changes chan *change
	load    load
	quit    chan struct{}
	once    sync.Once
	gone    chan struct{}
}

// change is a change and the call that waits for it.
type change struct {
	ctx   context.Context
	came  time.Time
	apply func(*writer) error
	err   error
	done  chan error
}

func openWriter(ctx context.Context, path string, existing bool, dsn string) (*writer, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	w := &writer{
		db: db, existing: existing, statements: make(map[string]*sql.Stmt),
		changes: make(chan *change), quit: make(chan struct{}), gone: make(chan struct{}),
	}
	if err := w.connect(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if w.identity, err = openIdentity(path); err != nil {
		return nil, errors.Join(err, w.disconnect())
	}
	go w.run()
	return w, nil
}

// connect opens the connection, migrates and prepares. If several processes open a
// new file at once, SQLite may say that it is busy without waiting for its timeout.
func (w *writer) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		err := w.tryConnect(ctx)
		if code := (*sqlite.Error)(nil); !errors.As(err, &code) || code.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (w *writer) tryConnect(ctx context.Context) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	if w.existing {
		err = migrated(ctx, conn)
	} else {
		err = migrate(ctx, conn)
	}
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	for _, text := range changing {
		s, err := conn.PrepareContext(ctx, text)
		if err != nil {
			return errors.Join(err, conn.Close())
		}
		w.statements[text] = s
	}
	w.conn = conn
	return nil
}

// do makes a change, and returns once it is on the disk. If ctx ends earlier, do
// returns its error, and the change is made or not.
func (w *writer) do(ctx context.Context, apply func(*writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &change{ctx: ctx, came: time.Now(), apply: apply, done: newDone()}
	if err := w.hand(c); err != nil {
		return err
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hand waits until the writer takes a change.
func (w *writer) hand(c *change) error {
	w.load.waiting.Add(1)
	defer w.load.waiting.Add(-1)
	select {
	case w.changes <- c:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	case <-w.quit:
		return errClosed
	}
}

// newDone returns a channel with room for the result, so that the writer does not wait
// for a caller that left.
func newDone() chan error { return make(chan error, 1) }

func (w *writer) run() {
	defer close(w.gone)
	for {
		select {
		case <-w.quit:
			return
		case first := <-w.changes:
			batch := w.gather(first)
			w.load.took(batch)
			err := w.commit(batch)
			for _, c := range batch {
				if err != nil {
					c.err = err
				}
				c.done <- c.err
			}
		}
	}
}

// gather adds the changes that wait already.
func (w *writer) gather(first *change) []*change {
	batch := []*change{first}
	for len(batch) < maxBatch {
		select {
		case c := <-w.changes:
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

// commit makes the changes in one transaction. A change that the records refuse gets
// an error of its own; any other error undoes all changes.
//
// The statements run under no caller's context, since they are for all. They end by
// themselves: only taking the lock can wait, and that for lockWait.
func (w *writer) commit(batch []*change) (err error) {
	if err := w.identity.check(); err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = w.conn.ExecContext(ctx, "ROLLBACK")
		}
	}()
	for _, c := range batch {
		// A caller who left while this waited for the lock needs nothing any more.
		if c.err = c.ctx.Err(); c.err != nil {
			continue
		}
		if c.err = c.apply(w); c.err != nil && !verdict(c.err) {
			return c.err
		}
	}
	_, err = w.conn.ExecContext(ctx, "COMMIT")
	return err
}

// verdict reports whether an error is a refusal by the records, and not a failure to
// ask them.
func verdict(err error) bool {
	return errors.Is(err, ledger.ErrLost) || errors.Is(err, ledger.ErrKey) || errors.Is(err, ledger.ErrNamed)
}

// exec runs one of the statements and returns how many records it changed.
func (w *writer) exec(statement string, args ...any) (int64, error) {
	result, err := w.statements[statement].ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// close ends the writer.
func (w *writer) close() error {
	w.once.Do(func() { close(w.quit) })
	<-w.gone
	return w.disconnect()
}

// disconnect closes the statements one by one: SQLite keeps a connection half open
// as long as it has a statement, and the log with it.
func (w *writer) disconnect() error {
	var errs []error
	for _, s := range w.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close(), w.db.Close())...)
}
