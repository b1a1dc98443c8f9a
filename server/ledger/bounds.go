package ledger

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// The limits on the arguments of a store.
const (
	// MaxNamed is the maximum number of ids in a call of Named.
	MaxNamed = 1000
	// MaxIDLen is the maximum length of a resource's id, in bytes.
	MaxIDLen = 255
	// maxMethodLen is the maximum length of a method's name, in bytes.
	maxMethodLen = 64
	// MinLease and MaxLease are the shortest and the longest permitted lease.
	MinLease = time.Millisecond
	MaxLease = 24 * time.Hour
)

// CheckID returns [ErrInvalid] unless a store can store the id: 1 to [MaxIDLen] bytes of
// UTF-8 without control characters.
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

// CheckLease returns [ErrInvalid] unless the lease is permitted.
func CheckLease(lease time.Duration) error {
	if lease < MinLease || lease > MaxLease {
		return fmt.Errorf("%w: a lease of %v", ErrInvalid, lease)
	}
	return nil
}

// CheckNamed returns [ErrInvalid] if there are more ids than Named accepts.
func CheckNamed(ids []string) error {
	if len(ids) > MaxNamed {
		return fmt.Errorf("%w: %d ids at a time", ErrInvalid, len(ids))
	}
	return nil
}

// Check returns [ErrInvalid] unless a store can store the claim.
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
