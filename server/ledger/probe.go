package ledger

import (
	"context"
	"errors"
	"time"
)

// probeLease is the lease of a probe's claim, for the case that the claim cannot be
// released.
const probeLease = 10 * time.Second

// Probe returns an error unless the store accepts and releases a claim. It claims a key
// that no call has.
func Probe(ctx context.Context, s Store) error {
	c := Claim{Key: NewDigest(), Token: NewToken(), Lease: probeLease}
	if _, _, err := s.Claim(ctx, c); err != nil {
		return err
	}
	if err := s.Release(ctx, c.Key, c.Token); !errors.Is(err, ErrLost) { // the lease may have expired by now
		return err
	}
	return nil
}
