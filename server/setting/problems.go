package setting

import (
	"errors"
	"fmt"
	"time"
)

// Problems collects what is wrong with settings, each with its flag.
type Problems struct{ errs []error }

// Addf says what is wrong with the setting of a flag.
func (p *Problems) Addf(flag, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...)))
}

// Longest is the longest time that a setting may have, of a hundred years. The longest
// [time.Duration] has 292: beyond it, a time that is computed from a setting is negative.
const Longest = 100 * 365 * 24 * time.Hour

// Positive adds a problem unless d is more than 0, and [Longest] at most.
func (p *Problems) Positive(flag string, d time.Duration) {
	if d <= 0 {
		p.Addf(flag, "must be more than 0")
	}
	p.NotTooLong(flag, d)
}

// NotNegative adds a problem unless d is 0 or more, and [Longest] at most.
func (p *Problems) NotNegative(flag string, d time.Duration) {
	if d < 0 {
		p.Addf(flag, "must be 0 or more")
	}
	p.NotTooLong(flag, d)
}

// NotTooLong adds a problem unless d is [Longest] at most.
func (p *Problems) NotTooLong(flag string, d time.Duration) {
	if d > Longest {
		p.Addf(flag, "must be %.0fh or less, which is 100 years", Longest.Hours())
	}
}

// Between adds a problem unless n is within both bounds.
func (p *Problems) Between(flag string, n, least, most int64) {
	if n < least || n > most {
		p.Addf(flag, "must be between %d and %d", least, most)
	}
}

// Err returns all problems as one error, or nil if there are none.
func (p *Problems) Err() error { return errors.Join(p.errs...) }
