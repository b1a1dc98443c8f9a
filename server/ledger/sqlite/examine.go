package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/digate/digate/server/ledger"
)

// errUndone undoes the changes of a transaction.
var errUndone = errors.New("undone")

// Writable returns an error unless the file takes a record, which is undone.
func (s *Store) Writable(ctx context.Context) error {
	err := s.writer.do(ctx, func(w *writer) error {
		now := s.now().UnixMicro()
		_, err := w.exec(sqlClaim, append(s.ofClaim(ledger.NewDigest(), ledger.NewToken()), sql.Named("fingerprint", []byte{0}),
			sql.Named("template", ""), sql.Named("method", ""), sql.Named("lease", now+1))...)
		if err != nil {
			return err
		}
		return errUndone
	})
	if errors.Is(err, errUndone) {
		return nil
	}
	return err
}
