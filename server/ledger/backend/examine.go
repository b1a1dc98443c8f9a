package backend

import (
	"context"
	"errors"
	"fmt"

	"github.com/digate/digate/server/ledger"
)

// Examination is what a server would find of its ledger.
type Examination struct {
	Engine *ledger.Engine
	// Begins means that there is no ledger yet: the server begins one.
	Begins bool
	// Older means that the ledger has an older schema: the server brings it up to
	// date.
	Older bool
	// Stats is what the ledger holds, unless it begins or is older.
	Stats ledger.Stats
}

// Examine returns what a server with these settings would find of its ledger, or why
// it would not start. It changes nothing: what it writes is undone. Another server may
// have the ledger open.
func Examine(ctx context.Context, s ledger.Settings) (Examination, error) {
	spec, d, err := parse(s)
	if err != nil {
		return Examination{}, fmt.Errorf("--ledger: %w", err)
	}
	e := Examination{Engine: spec.Engine}
	if spec.Engine == ledger.Memory {
		return e, nil
	}
	if s.KeyFile != "" {
		if _, err := ledger.LoadKey(s.KeyFile); err != nil {
			return e, fmt.Errorf("--ledger-key-file: %w", err)
		}
	}
	l, err := OpenExisting(ctx, s)
	if e.Begins, e.Older = errors.Is(err, ledger.ErrNone), errors.Is(err, ledger.ErrOlder); e.Begins || e.Older {
		if err := d.mayMigrate(ctx, spec.Location); err != nil {
			return e, fmt.Errorf("--ledger: %w", err)
		}
		return e, nil
	}
	if err != nil {
		return e, err
	}
	defer func() { _ = l.Close() }()
	if e.Stats, err = l.Stats(ctx); err == nil {
		err = l.writable(ctx)
	}
	if err != nil {
		return e, fmt.Errorf("--ledger: it can be opened, but not used (%s): %w", l.Cause(err), err)
	}
	return e, nil
}
