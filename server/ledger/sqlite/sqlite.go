// Package sqlite keeps a ledger in an SQLite file. A change that it acknowledged
// survives the process and, if the disk does as it is told, a power cut. Several
// processes on one machine can share the file.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/digate/digate/server/ledger"
)

const (
	// lockWait is how long a statement waits for another process's lock.
	lockWait = 5 * time.Second
	// readers is how many reads can be under way at a time.
	readers = 4
)

// Options say how the ledger is kept.
type Options struct {
	// Retention is how long settled records are kept; zero means
	// [ledger.DefaultRetention].
	Retention time.Duration
	// Now is the clock; nil means [time.Now]. Processes that share a file are on one
	// machine, and so share a clock.
	Now func() time.Time
	// Existing means that the ledger has to be there, with the newest schema: nothing
	// is created or brought up to date.
	Existing bool
}

// Store is a ledger in a file.
type Store struct {
	retention time.Duration
	now       func() time.Time

	readers *sql.DB
	get     *sql.Stmt
	named   *sql.Stmt
	stats   *sql.Stmt
	writer  *writer
}

var _ ledger.Store = (*Store)(nil)

// Open opens the ledger at path, and creates it if there is none; the directory
// must exist. Only its owner can read a file that Open creates. An error says what
// to do.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if o.Retention <= 0 {
		o.Retention = ledger.DefaultRetention
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{retention: o.Retention, now: o.Now}
	if err := s.open(ctx, path, o.Existing); err != nil {
		return nil, errors.Join(failedOpen(path, err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string, existing bool) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if existing {
		switch info, missing := os.Stat(path); {
		case errors.Is(missing, fs.ErrNotExist):
			return fmt.Errorf("%w: there is no such file", ledger.ErrNone)
		case missing == nil && info.Size() == 0:
			return fmt.Errorf("%w in the file", ledger.ErrNone)
		}
	} else {
		err = Create(path)
	}
	if err != nil {
		return err
	}
	if s.writer, err = openWriter(ctx, path, existing, dsn(path, url.Values{"_pragma": {"synchronous(FULL)"}})); err != nil {
		return err
	}
	if s.readers, err = sql.Open("sqlite", dsn(path, url.Values{"_query_only": {"1"}})); err != nil {
		return err
	}
	s.readers.SetMaxOpenConns(readers)
	s.readers.SetMaxIdleConns(readers)
	if s.get, err = s.readers.PrepareContext(ctx, sqlGet); err != nil {
		return err
	}
	if s.named, err = s.readers.PrepareContext(ctx, sqlNamed); err != nil {
		return err
	}
	s.stats, err = s.readers.PrepareContext(ctx, sqlStats)
	return err
}

// Create makes an empty file if there is none. SQLite would make it with the default
// mode, and gives the files beside it (-wal, -shm) its mode. An existing file is not
// opened: under POSIX, to close it would release SQLite's own locks.
func Create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// dsn names the file as a URI, so that no character of the path has a meaning.
func dsn(path string, options url.Values) string {
	options.Set("_busy_timeout", strconv.FormatInt(lockWait.Milliseconds(), 10))
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: options.Encode()}
	return u.String()
}

// Close implements [ledger.Store].
func (s *Store) Close() error {
	var errs []error
	for _, statement := range []*sql.Stmt{s.get, s.named, s.stats} {
		if statement != nil {
			errs = append(errs, statement.Close())
		}
	}
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	// The writer ends last: the last connection folds the log into the file, and one
	// that only reads may not.
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	return errors.Join(errs...)
}
