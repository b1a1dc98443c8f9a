package ledger

import (
	"context"
	"errors"
	"time"
)

// probeLease is how long the claim of a probe lasts that could not be released.
const probeLease = 10 * time.Second

// Probe returns an error unless the store takes a claim and lets go of it again. The
// claim is of a key that no call has.
func Probe(ctx context.Context, s Store) error {
	c := Claim{Key: NewDigest(), Token: NewToken(), Lease: probeLease}
	if _, _, err := s.Claim(ctx, c); err != nil {
		return err
	}
	if err := s.Release(ctx, c.Key, c.Token); !errors.Is(err, ErrLost) { // slower than its lease
		return err
	}
	return nil
}
