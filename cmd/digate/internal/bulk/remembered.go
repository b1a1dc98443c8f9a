package bulk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxSampled bounds the rows by which a ledger is tried, for each promise.
const maxSampled = 4

// isRemembered reports whether a ledger knows rows of the job that it must know. An
// older copy of a ledger, put back after a crash for example, has the name of the one
// that promised, and not its records: a row that was sent would be made again.
func (j *job) isRemembered(ctx context.Context, conn *connection) (bool, error) {
	of := make(map[int32][]*entry)
	for _, e := range slices.Backward(j.entries) { // the last ones get lost first
		if e.state == rowMade && len(of[e.promise]) < maxSampled && !j.promises[e.promise].expired(time.Now()) {
			of[e.promise] = append(of[e.promise], e)
		}
	}
	var sample []*entry
	for _, rows := range of {
		sample = append(sample, rows...)
	}
	lines, err := askAbout(ctx, conn, sample)
	if err != nil {
		return false, fmt.Errorf("%w: the ledger cannot be asked what it knows of the job: %w", errNothingSent, describeFailure(err))
	}
	return !slices.ContainsFunc(lines, func(line jobLine) bool { return line.State == lineNone }), nil
}

// mustBeRemembered returns an error if rows of the input may have been sent, and the
// ledger has lost what it knew of the job.
func (j *job) mustBeRemembered(ctx context.Context, conn *connection) error {
	if !slices.ContainsFunc(j.entries, func(e *entry) bool { return e.seen && (e.state == rowOpen || e.state == rowDoubt) }) {
		return nil
	}
	if ok, err := j.isRemembered(ctx, conn); ok || err != nil {
		return err
	}
	return errLedgerLost
}

// errLedgerLost says that a ledger lost records.
var errLedgerLost = errors.New("the ledger has lost what it knew of this job.\nPerhaps an older copy of it was put back. Rows that were sent may be made already.\n" + insteadOfResuming)
