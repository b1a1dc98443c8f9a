package postgres

// Every statement but those of a resolution is one round trip and a transaction of
// its own. It asks once for the time that is its now, before it reads and so before
// any change that it waits for.
//
// Parameters of all that change a claim: $1 the key, $2 the token, $3 the
// retention or the lease in microseconds, $4 the integration.
const (
	sqlNow      = `(SELECT clock_timestamp())`
	sqlMicros   = ` * interval '1 microsecond'`
	sqlDuration = `$3::bigint` + sqlMicros

	// A record's state, even if its row is older: the lease may have run out since.
	isClaimed = `(state = 'claimed' AND until > ` + sqlNow + `)`
	isSending = `(state = 'sending' AND until > ` + sqlNow + `)`
	isDone    = `(state = 'done' AND until > ` + sqlNow + `)`
	isUnknown = `(state = 'unknown' AND until > ` + sqlNow + ` OR ` + isLapsed + `)`
	isLapsed  = `(state = 'sending' AND until <= ` + sqlNow + ` AND until > ` + sqlNow + ` - ` + sqlDuration + `)`

	// Records as they are, and not those that are gone. $2 is the retention.
	sqlLives = `SELECT key, fingerprint, template_id,
			CASE WHEN until <= t.now THEN 'unknown' ELSE state END, token, integration_id, claimed_at,
			(extract(epoch FROM t.now - CASE WHEN until <= t.now THEN until WHEN state = 'unknown' THEN lapsed_at END) * 1000000)::bigint, method
		FROM digate_ledger_record, t
		WHERE (until > t.now OR state = 'sending' AND until > t.now - $2::bigint` + sqlMicros + `)`
	// One of them. $1 is the key.
	sqlLive = sqlLives + ` AND key = $1`

	ofClaim   = ` WHERE key = $1 AND token = $2 AND `
	sqlUpdate = `UPDATE digate_ledger_record SET `
	sqlDelete = `DELETE FROM digate_ledger_record`
)

const (
	sqlGet = `WITH t AS MATERIALIZED (SELECT clock_timestamp() AS now) ` + sqlLive

	// The new row, or else the existing one. There is neither if the existing one
	// came after the statement had begun.
	sqlClaim = `WITH t AS MATERIALIZED (SELECT clock_timestamp() AS now),
		made AS (
			INSERT INTO digate_ledger_record AS r (key, fingerprint, template_id, method, state, token, claimed_at, until)
			SELECT $1, $3, $4, $7, 'claimed', $5, now, now + $6::bigint` + sqlMicros + ` FROM t
			ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, template_id = excluded.template_id,
				method = excluded.method, state = excluded.state, token = excluded.token, integration_id = '',
				claimed_at = excluded.claimed_at, until = excluded.until
			WHERE r.until <= (SELECT now FROM t)
				AND (r.state <> 'sending' OR r.until <= (SELECT now FROM t) - $2::bigint` + sqlMicros + `)
			RETURNING key, fingerprint, template_id, state, token, integration_id, claimed_at, NULL::bigint, method
		)
		SELECT * FROM made UNION ALL (` + sqlLive + ` AND NOT EXISTS (SELECT FROM made))`

	sqlLease       = `until = ` + sqlNow + ` + ` + sqlDuration
	sqlRenew       = sqlUpdate + sqlLease + ofClaim + `(` + isClaimed + ` OR ` + isSending + `)`
	sqlMarkSending = sqlUpdate + `state = 'sending', ` + sqlLease + ofClaim + isClaimed
	sqlMarkDone    = sqlUpdate + `state = 'done', integration_id = $4,
			until = CASE state WHEN 'done' THEN until ELSE ` + sqlNow + ` + ` + sqlDuration + ` END` +
		ofClaim + `(` + isSending + ` OR ` + isUnknown + ` OR ` + isDone + ` AND integration_id = $4)`
	sqlMarkUnknown = sqlUpdate + `state = 'unknown', lapsed_at = NULL,
			until = CASE state WHEN 'unknown' THEN until ELSE least(until, ` + sqlNow + `) + ` + sqlDuration + ` END` +
		ofClaim + `(` + isSending + ` OR ` + isUnknown + `)`
	sqlRelease = sqlDelete + ofClaim + `(` + isClaimed + ` OR ` + isSending + ` OR ` + isUnknown + `)`
	sqlResolve = sqlUpdate + `state = 'done', integration_id = $4, until = ` + sqlNow + ` + ` + sqlDuration + ofClaim + isUnknown
	sqlForget  = sqlDelete + ofClaim + isUnknown

	// Whether a record other than that of the key $2 names the integration $1.
	sqlNamedByOther = `SELECT EXISTS (SELECT FROM digate_ledger_record
		WHERE state = 'done' AND until > ` + sqlNow + ` AND integration_id = $1 AND key <> $2)`
	sqlNamed = `SELECT DISTINCT integration_id FROM digate_ledger_record
		WHERE state = 'done' AND until > ` + sqlNow + ` AND integration_id = ANY ($1::text[])`

	// Replicas that sweep at once take different records. A record is either gone or
	// settled, so it is in one of the two parts. $1 is the limit, $2 the retention.
	sqlSweep = `WITH t AS MATERIALIZED (SELECT clock_timestamp() AS now),
		gone AS (
			DELETE FROM digate_ledger_record WHERE key IN (
				SELECT key FROM digate_ledger_record
				WHERE until <= (SELECT now FROM t)
					AND (state <> 'sending' OR until <= (SELECT now FROM t) - $2::bigint` + sqlMicros + `)
				ORDER BY until LIMIT $1 FOR UPDATE SKIP LOCKED)
			RETURNING 1
		),
		settled AS (
			UPDATE digate_ledger_record SET state = 'unknown', lapsed_at = until, until = until + $2::bigint` + sqlMicros + ` WHERE key IN (
				SELECT key FROM digate_ledger_record
				WHERE state = 'sending' AND until <= (SELECT now FROM t) AND until > (SELECT now FROM t) - $2::bigint` + sqlMicros + `
				ORDER BY until LIMIT $1 FOR UPDATE SKIP LOCKED)
		)
		SELECT count(*) FROM gone`

	sqlKeyCheck = `INSERT INTO digate_ledger_meta (name, value) VALUES ('key', $1)
		ON CONFLICT (name) DO UPDATE SET value = digate_ledger_meta.value RETURNING value`
	sqlKeyIs = `SELECT value FROM digate_ledger_meta WHERE name = 'key'`

	// The state $1 as a record has it, any if it is empty; $3 the parent, $4 the
	// earliest time in microseconds since 1970, $5 the limit, $6 and $7 the first and the
	// last key.
	sqlList = `WITH t AS MATERIALIZED (SELECT clock_timestamp() AS now) ` + sqlLives + `
			AND ($1 = '' OR CASE WHEN until <= t.now THEN 'unknown' ELSE state END = $1)
			AND ($3 = '' OR lower(template_id) = lower($3))
			AND claimed_at >= to_timestamp($4::float8 / 1000000)
			AND key BETWEEN $6 AND $7`
	// Records that are not done have an index, which needs to hear of it.
	sqlListOpen = ` AND state <> 'done'`
	sqlListEnd  = ` ORDER BY claimed_at DESC, key LIMIT $5`

	// $1 is how far to count, $2 the retention. The records in done are counted in the
	// index of their integrations, and the others found by the index of those.
	sqlStats = `WITH t AS MATERIALIZED (SELECT clock_timestamp() AS now),
		open AS MATERIALIZED (SELECT claimed_at, CASE WHEN until > t.now THEN state WHEN state = 'sending' AND until > t.now - $2::bigint` + sqlMicros + ` THEN 'unknown' END AS state
			FROM digate_ledger_record, t WHERE state <> 'done' ORDER BY claimed_at LIMIT $1)
		SELECT (SELECT count(*) FROM (SELECT FROM digate_ledger_record WHERE state = 'done' LIMIT $1) AS done),
			count(*) FILTER (WHERE state = 'claimed'), count(*) FILTER (WHERE state = 'sending'), count(*) FILTER (WHERE state = 'unknown'),
			(extract(epoch FROM (SELECT now FROM t) - min(claimed_at) FILTER (WHERE state = 'unknown')) * 1000000)::bigint
		FROM open`
)
