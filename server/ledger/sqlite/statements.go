package sqlite

import "github.com/digate/digate/server/ledger"

// A record's state, even if its row is older: the lease may have run out since. @now
// and @retention are in microseconds.
const (
	isClaimed = `(state = 'claimed' AND until > @now)`
	isSending = `(state = 'sending' AND until > @now)`
	isDone    = `(state = 'done' AND until > @now)`
	isUnknown = `(state = 'unknown' AND until > @now OR state = 'sending' AND until <= @now AND until > @now - @retention)`
	isGone    = `(until <= @now AND (state <> 'sending' OR until <= @now - @retention))`

	columns = `key, fingerprint, template_id, state, token, integration_id, claimed_at, until, lapsed_at, method`
	ofClaim = ` WHERE key = @key AND token = @token AND `
)

const (
	sqlGet   = `SELECT ` + columns + ` FROM record WHERE key = @key`
	sqlNamed = `SELECT DISTINCT integration_id FROM record
		WHERE state = 'done' AND until > @now AND integration_id IN (SELECT value FROM json_each(@ids))`

	sqlClaim = `INSERT INTO record (key, fingerprint, template_id, method, state, token, claimed_at, until)
		VALUES (@key, @fingerprint, @template, @method, 'claimed', @token, @now, @lease)
		ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, template_id = excluded.template_id,
			method = excluded.method, state = excluded.state, token = excluded.token, integration_id = '',
			claimed_at = excluded.claimed_at, until = excluded.until
		WHERE ` + isGone
	sqlRenew       = `UPDATE record SET until = @lease` + ofClaim + `(` + isClaimed + ` OR ` + isSending + `)`
	sqlMarkSending = `UPDATE record SET state = 'sending', until = @lease` + ofClaim + isClaimed
	sqlMarkDone    = `UPDATE record SET state = 'done', integration_id = @integration,
			until = CASE state WHEN 'done' THEN until ELSE @now + @retention END` +
		ofClaim + `(` + isSending + ` OR ` + isUnknown + ` OR ` + isDone + ` AND integration_id = @integration)`
	sqlMarkUnknown = `UPDATE record SET state = 'unknown', lapsed_at = NULL,
			until = CASE state WHEN 'unknown' THEN until ELSE min(until, @now) + @retention END` +
		ofClaim + `(` + isSending + ` OR ` + isUnknown + `)`
	sqlRelease = `DELETE FROM record` + ofClaim + `(` + isClaimed + ` OR ` + isSending + ` OR ` + isUnknown + `)`
	sqlResolve = `UPDATE record SET state = 'done', integration_id = @integration, until = @now + @retention` + ofClaim + isUnknown
	// Whether the record is in Unknown, and whether another one names the integration.
	sqlMayResolve = `SELECT EXISTS (SELECT 1 FROM record` + ofClaim + isUnknown + `),
		EXISTS (SELECT 1 FROM record WHERE state = 'done' AND until > @now AND integration_id = @integration)`
	sqlForget = `DELETE FROM record` + ofClaim + isUnknown

	sqlSweep = `DELETE FROM record WHERE key IN
		(SELECT key FROM record WHERE ` + isGone + ` ORDER BY until LIMIT @limit)`
	// A record that is gone is left to the sweep, so that its retention does not begin
	// anew.
	sqlSettle = `UPDATE record SET state = 'unknown', lapsed_at = until, until = until + @retention WHERE key IN
		(SELECT key FROM record WHERE state = 'sending' AND until <= @now AND until > @now - @retention ORDER BY until LIMIT @limit)`

	sqlKeyCheck = `INSERT INTO key_check (one, digest) VALUES (1, @digest) ON CONFLICT DO NOTHING`
	sqlKeyIs    = `SELECT digest = @digest FROM key_check`

	// The records in Done are counted in the index of their integrations, and the
	// others found by that of the records which are not done.
	sqlStats = `SELECT (SELECT count(*) FROM (SELECT 1 FROM record WHERE state = 'done' LIMIT @most)),
			count(*) FILTER (WHERE ` + isClaimed + `), count(*) FILTER (WHERE ` + isSending + `),
			count(*) FILTER (WHERE ` + isUnknown + `), min(claimed_at) FILTER (WHERE ` + isUnknown + `)
		FROM (SELECT state, until, claimed_at FROM record WHERE state <> 'done' ORDER BY claimed_at LIMIT @most)`
	sqlList = `SELECT ` + columns + ` FROM record WHERE claimed_at >= @since AND key BETWEEN @first AND @last
		AND (@parent = '' OR lower(template_id) = lower(@parent)) AND `
	sqlListEnd = ` ORDER BY claimed_at DESC, key LIMIT @limit`
)

// listed are the conditions of the records in a state, or in any for zero. Those
// that are not done have an index, which needs to hear of it.
var listed = map[ledger.State]string{
	0:              `NOT ` + isGone,
	ledger.Claimed: `state <> 'done' AND ` + isClaimed,
	ledger.Sending: `state <> 'done' AND ` + isSending,
	ledger.Done:    isDone,
	ledger.Unknown: `state <> 'done' AND ` + isUnknown,
}

// changing are the statements that the writer prepares.
var changing = []string{
	sqlGet, sqlClaim, sqlRenew, sqlMarkSending, sqlMarkDone, sqlMarkUnknown, sqlRelease, sqlResolve, sqlMayResolve, sqlForget,
	sqlSweep, sqlSettle, sqlPrune, sqlKeyCheck, sqlKeyIs,
}
