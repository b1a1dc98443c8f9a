package ledger

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of the arguments of a store.
const (
	// MaxNamed is how many ids Named takes at a time.
	MaxNamed = 1000
	// MaxIDLen is how many bytes the id of a resource may have.
	MaxIDLen = 255
	// maxMethodLen is how many bytes the name of a method may have.
	maxMethodLen = 64
	// MinLease and MaxLease are the shortest lease and the longest.
	MinLease = time.Millisecond
	MaxLease = 24 * time.Hour
)

// CheckID returns [ErrInvalid] unless a store can keep id: 1 to [MaxIDLen] bytes
// of UTF-8 without control characters.
func CheckID(id string) error {
	if id == "" || len(id) > MaxIDLen || !utf8.ValidString(id) {
		return fmt.Errorf("%w: an id of %d bytes", ErrInvalid, len(id))
	}
	for _, r := range id {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: an id with a control character", ErrInvalid)
		}
	}
	return nil
}

// CheckLease returns [ErrInvalid] unless a claim can have the lease.
func CheckLease(lease time.Duration) error {
	if lease < MinLease || lease > MaxLease {
		return fmt.Errorf("%w: a lease of %v", ErrInvalid, lease)
	}
	return nil
}

// CheckNamed returns [ErrInvalid] if there are more ids than Named takes.
func CheckNamed(ids []string) error {
	if len(ids) > MaxNamed {
		return fmt.Errorf("%w: %d ids at a time", ErrInvalid, len(ids))
	}
	return nil
}

// Check returns [ErrInvalid] unless a store can keep the claim.
func (c Claim) Check() error {
	if c.Token == (Token{}) {
		return fmt.Errorf("%w: a claim without a token", ErrInvalid)
	}
	if len(c.Method) > maxMethodLen {
		return fmt.Errorf("%w: a method's name of %d bytes", ErrInvalid, len(c.Method))
	}
	if c.ParentID != "" {
		if err := CheckID(c.ParentID); err != nil {
			return err
		}
	}
	return CheckLease(c.Lease)
}
