package copies

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/digate/digate/server/deadline"
	"github.com/digate/digate/server/ledger"
)

// ledgerChange is the change to write to the ledger after an attempt.
type ledgerChange int8

const (
	recordNothing ledgerChange = iota
	recordDone                 // the call created something
	recordUnknown              // the call may have created something
	recordRelease              // the call created nothing, and its request id can be used again
)

// record writes the change to the ledger.
func (a *attempt) record(ctx context.Context) error {
	switch a.change {
	case recordDone:
		err := a.ledger.MarkDone(ctx, a.key, a.token, a.flight.created.id)
		if errors.Is(err, ledger.ErrInvalid) { // the created resource has no id
			return a.ledger.MarkUnknown(ctx, a.key, a.token)
		}
		return err
	case recordUnknown:
		return a.ledger.MarkUnknown(ctx, a.key, a.token)
	case recordRelease:
		return a.ledger.Release(ctx, a.key, a.token)
	default:
		return nil
	}
}

// recordFirst writes the result to the ledger before the caller gets its response, so
// that a repeated call finds the record. If the ledger does not respond, the caller waits
// for half of its remaining time. After Close, recordFirst still tries for a moment.
func (a *attempt) recordFirst(caller context.Context) error {
	timeout := ledgerTimeout
	if ends, ok := a.ledgerTime.Deadline(); ok && caller.Err() == nil {
		timeout = min(timeout, time.Until(ends)/2)
	}
	if a.coordinator.closed.Err() != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(caller), lastTry)
		defer cancel()
		return a.record(ctx)
	}
	defer a.recording.End()
	return a.record(a.detach(&a.recording, timeout))
}

// retryRecord writes the result after recordFirst failed with err, and reports whether it
// succeeded.
func (a *attempt) retryRecord(err error) bool {
	log := a.coordinator.cfg.Log
	var limit deadline.Context
	ctx := a.detach(&limit, recordTimeout)
	defer limit.End()
	name := slog.String("ledger_record", a.flight.ex.LedgerRecord)
	for wait := firstPoll; err != nil && !errors.Is(err, ledger.ErrLost); wait = min(2*wait, lastPoll) {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			err = a.record(ctx)
		case <-ctx.Done():
			timer.Stop()
			log.LogAttrs(ctx, slog.LevelError, "the outcome of a call could not be recorded; the call will be in doubt", name, slog.String("error", err.Error()))
			return false
		}
	}
	if err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "the outcome of a call was not recorded: its record was settled or forgotten meanwhile", name)
	}
	return err == nil
}
