package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/digate/digate/server/ledger"
)

// indexes are those of the schema.
var indexes = []string{"record_until", "record_integration", "record_open"}

const (
	sqlOverview = `SELECT CASE WHEN until > @now THEN state WHEN state = 'sending' THEN 'unknown' ELSE 'expired' END AS now_state,
			method, count(*), min(claimed_at), max(claimed_at)
		FROM record GROUP BY now_state, method ORDER BY now_state, method`
	// Without records in sending: their owner died, and what became of the call is not
	// known. A server makes doubts of them, with its own retention.
	sqlPrune = `DELETE FROM record WHERE key IN
		(SELECT key FROM record WHERE until <= @now AND state <> 'sending' ORDER BY until LIMIT @limit)`
	sqlOdd = `SELECT 'record ' || lower(hex(key)) || ': ' || problem FROM (SELECT key, CASE
			WHEN length(key) <> 32 OR length(fingerprint) <> 32 OR length(token) <> 16 THEN 'a digest has another length'
			WHEN state NOT IN ('claimed', 'sending', 'done', 'unknown') THEN 'there is no such state'
			WHEN state = 'done' AND integration_id = '' THEN 'it is done, and names nothing that was created'
			WHEN state <> 'done' AND integration_id <> '' THEN 'it is not done, and names what was created'
			WHEN claimed_at <= 0 OR until <= claimed_at THEN 'its time ends before it begins' END AS problem FROM record)
		WHERE problem IS NOT NULL LIMIT @limit`
)

// Overview returns what the ledger holds. It changes nothing.
func (s *Store) Overview(ctx context.Context) (o ledger.Overview, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)`).Scan(&o.Schema, &o.Size)
	if err != nil {
		return o, err
	}
	rows, err := s.readers.QueryContext(ctx, sqlOverview, sql.Named("now", s.now().UnixMicro()))
	if err != nil {
		return o, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var g ledger.Group
		var oldest, newest int64
		if err := rows.Scan(&g.State, &g.Method, &g.Records, &oldest, &newest); err != nil {
			return o, err
		}
		g.Oldest, g.Newest = time.UnixMicro(oldest), time.UnixMicro(newest)
		o.Groups = append(o.Groups, g)
	}
	return o, rows.Err()
}

// Prune removes at most limit expired records and returns how many.
func (s *Store) Prune(ctx context.Context, limit int) (int, error) {
	removed := make(chan int64, 1)
	err := s.writer.do(ctx, func(w *writer) error {
		n, err := w.exec(sqlPrune, sql.Named("now", s.now().UnixMicro()), sql.Named("limit", limit))
		if err == nil {
			removed <- n
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(<-removed), nil
}

// Check returns what is wrong with the file and its records. It changes nothing.
func (s *Store) Check(ctx context.Context) (problems []string, err error) {
	found, err := s.texts(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", ledger.MaxProblems))
	if err != nil {
		return nil, err
	}
	for _, text := range found {
		if text != "ok" {
			problems = append(problems, "the file is damaged: "+text)
		}
	}
	for _, name := range indexes {
		found, err := s.texts(ctx, "SELECT name FROM sqlite_schema WHERE type = 'index' AND name = ?", name)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			problems = append(problems, "the index "+name+" is missing")
		}
	}
	odd, err := s.texts(ctx, sqlOdd, sql.Named("limit", ledger.MaxProblems))
	return append(problems, odd...), err
}

// texts returns the texts that a statement selects.
func (s *Store) texts(ctx context.Context, statement string, args ...any) (texts []string, err error) {
	rows, err := s.readers.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, rows.Err()
}
