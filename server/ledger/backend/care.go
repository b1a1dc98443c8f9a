package backend

import (
	"context"
	"errors"
	"fmt"

	"github.com/digate/digate/server/ledger"
)

// carer is a store with maintenance operations.
type carer interface {
	// Overview returns a summary of the ledger. It changes nothing.
	Overview(ctx context.Context) (ledger.Overview, error)
	// Prune deletes at most limit expired records and returns how many. It keeps records
	// that still protect their calls.
	Prune(ctx context.Context, limit int) (int, error)
	// Check returns the problems of the records and of the store. It changes nothing.
	Check(ctx context.Context) ([]string, error)
}

// care opens an existing ledger and calls do with it.
func care(ctx context.Context, s ledger.Settings, do func(*Ledger) error) error {
	l, err := OpenExisting(ctx, s)
	if err != nil {
		return err
	}
	if err = do(l); err != nil {
		err = fmt.Errorf("--ledger: %w", err)
	}
	return errors.Join(err, l.Close())
}

// Overview returns a summary of a ledger. Servers may use the ledger meanwhile.
func Overview(ctx context.Context, s ledger.Settings) (o ledger.Overview, engine string, err error) {
	err = care(ctx, s, func(l *Ledger) (err error) {
		engine = l.Engine.Name
		o, err = l.carer.Overview(ctx)
		return err
	})
	return o, engine, err
}

// pruneBatch is how many records are deleted at a time, so that no server waits long.
const pruneBatch = 1000

// Prune deletes the expired records of a ledger in batches. After each batch, it calls
// progress with the number of records deleted so far. Servers may use the ledger
// meanwhile.
func Prune(ctx context.Context, s ledger.Settings, progress func(removed int)) error {
	return care(ctx, s, func(l *Ledger) error {
		for removed := 0; ; {
			n, err := l.carer.Prune(ctx, pruneBatch)
			if err != nil {
				return err
			}
			removed += n
			progress(removed)
			if n < pruneBatch {
				return nil
			}
		}
	})
}

// Check returns the problems of a ledger, or nothing if there are none. A key that
// differs from that of the records is a problem. Servers may use the ledger meanwhile.
func Check(ctx context.Context, s ledger.Settings) (problems []string, err error) {
	err = care(ctx, s, func(l *Ledger) (err error) {
		problems, err = l.carer.Check(ctx)
		return err
	})
	if errors.Is(err, ledger.ErrKey) {
		return []string{err.Error()}, nil
	}
	return problems, err
}
