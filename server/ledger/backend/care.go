package backend

import (
	"context"
	"errors"
	"fmt"

	"github.com/digate/digate/server/ledger"
)

// carer is a store that an operator can look after.
type carer interface {
	// Overview returns what the ledger holds. It changes nothing.
	Overview(ctx context.Context) (ledger.Overview, error)
	// Prune removes at most limit expired records and returns how many. A record that
	// still protects its call is not among them.
	Prune(ctx context.Context, limit int) (int, error)
	// Check returns what is wrong with the records, and with what holds them. It changes
	// nothing.
	Check(ctx context.Context) ([]string, error)
}

// care opens a ledger that has to be there, and calls do with it.
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

// Overview returns what a ledger holds. Servers may go on meanwhile.
func Overview(ctx context.Context, s ledger.Settings) (o ledger.Overview, engine string, err error) {
	err = care(ctx, s, func(l *Ledger) (err error) {
		engine = l.Engine.Name
		o, err = l.carer.Overview(ctx)
		return err
	})
	return o, engine, err
}

// pruneBatch is how many records are removed at a time, so that no server waits long.
const pruneBatch = 1000

// Prune removes the expired records of a ledger, in batches, and tells progress after
// each how many it has removed so far. Servers may go on meanwhile.
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

// Check returns what is wrong with a ledger, nothing if all is well. Another key than
// that of the records is among it. Servers may go on meanwhile.
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
