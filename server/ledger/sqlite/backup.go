package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// Backup writes a copy of the ledger, as of one moment, to a file that must not be
// there. Servers may go on meanwhile. The key is not in it.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	if err := s.writer.identity.check(); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	if err := f.Close(); err != nil {
		return err
	}
	if _, err := s.writer.db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return fmt.Errorf("the copy could not be written: %w", err)
	}
	// The copy can be opened as it is, also by who creates and changes nothing.
	return writeAhead(ctx, path)
}

// writeAhead lets changes of a file be written ahead, and the file be on the disk.
func writeAhead(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", dsn(path, url.Values{}))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "PRAGMA journal_mode = WAL")
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0) // SQLite has closed it: there is no lock of its to lose
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
