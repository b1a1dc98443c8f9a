package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/digate/digate/server/ledger"
)

const (
	sqlOverview = `WITH t AS MATERIALIZED (SELECT clock_timestamp() AS now)
		SELECT CASE WHEN until > t.now THEN state WHEN state = 'sending' THEN 'unknown' ELSE 'expired' END AS now_state,
			method, count(*), min(claimed_at), max(claimed_at)
		FROM digate_ledger_record, t GROUP BY now_state, method ORDER BY now_state, method`
	sqlSize = `SELECT pg_total_relation_size('digate_ledger_record') + pg_total_relation_size('digate_ledger_meta')`
	// Without records in sending: their owner died, and what became of the call is not
	// known. A server makes doubts of them, with its own retention.
	sqlPrune = `WITH gone AS (
			DELETE FROM digate_ledger_record WHERE key IN (
				SELECT key FROM digate_ledger_record WHERE until <= ` + sqlNow + ` AND state <> 'sending'
				ORDER BY until LIMIT $1 FOR UPDATE SKIP LOCKED)
			RETURNING 1)
		SELECT count(*) FROM gone`
	sqlIndexes = `SELECT 'the index ' || expected || CASE WHEN i.indexrelid IS NULL THEN ' is missing' ELSE ' is not valid' END
		FROM unnest(ARRAY['digate_ledger_record_pkey', 'digate_ledger_record_until', 'digate_ledger_record_integration', 'digate_ledger_record_open']) AS expected
		LEFT JOIN pg_class c ON c.relname = expected AND pg_table_is_visible(c.oid)
		LEFT JOIN pg_index i ON i.indexrelid = c.oid AND i.indrelid = 'digate_ledger_record'::regclass
		WHERE i.indexrelid IS NULL OR NOT i.indisvalid OR NOT i.indisready`
	sqlOdd = `SELECT 'record ' || encode(key, 'hex') || ': ' || problem FROM (SELECT key, CASE
			WHEN octet_length(key) <> 32 OR octet_length(fingerprint) <> 32 OR octet_length(token) <> 16 THEN 'a digest has another length'
			WHEN state NOT IN ('claimed', 'sending', 'done', 'unknown') THEN 'there is no such state'
			WHEN state = 'done' AND integration_id = '' THEN 'it is done, and names nothing that was created'
			WHEN state <> 'done' AND integration_id <> '' THEN 'it is not done, and names what was created'
			WHEN until <= claimed_at THEN 'its time ends before it begins' END AS problem FROM digate_ledger_record) AS odd
		WHERE problem IS NOT NULL LIMIT $1`
)

// Overview returns what the ledger holds. It changes nothing.
func (s *Store) Overview(ctx context.Context) (o ledger.Overview, err error) {
	if o.Schema, err = schemaVersion(ctx, s.pool); err != nil {
		return o, err
	}
	if err := s.pool.QueryRow(ctx, sqlSize).Scan(&o.Size); err != nil {
		return o, err
	}
	rows, err := s.pool.Query(ctx, sqlOverview)
	if err != nil {
		return o, err
	}
	o.Groups, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (g ledger.Group, err error) {
		err = row.Scan(&g.State, &g.Method, &g.Records, &g.Oldest, &g.Newest)
		return g, err
	})
	return o, err
}

// Prune removes at most limit expired records and returns how many.
func (s *Store) Prune(ctx context.Context, limit int) (removed int, err error) {
	err = s.try(ctx, false, func() error { return s.pool.QueryRow(ctx, sqlPrune, limit).Scan(&removed) })
	return removed, err
}

// Check returns what is wrong with the tables and their records. It changes nothing.
func (s *Store) Check(ctx context.Context) (problems []string, err error) {
	for _, statement := range []struct {
		text string
		args []any
	}{{sqlIndexes, nil}, {sqlOdd, []any{ledger.MaxProblems}}} {
		rows, err := s.pool.Query(ctx, statement.text, statement.args...)
		if err != nil {
			return nil, err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
	}
	return problems, nil
}
