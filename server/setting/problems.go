package setting

import (
	"errors"
	"fmt"
	"time"
)

// Problems collects the errors of settings, each with its flag.
type Problems struct{ errs []error }

// Addf adds an error of the setting with a flag.
func (p *Problems) Addf(flag, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...)))
}

// Longest is the longest time that a setting may have: a hundred years. The longest
// [time.Duration] has 292 years, and a time computed from a longer setting could
// overflow.
const Longest = 100 * 365 * 24 * time.Hour

// Positive adds a problem unless d is more than 0 and at most [Longest].
func (p *Problems) Positive(flag string, d time.Duration) {
	if d <= 0 {
		p.Addf(flag, "must be more than 0")
	}
	p.NotTooLong(flag, d)
}

// NotNegative adds a problem unless d is at least 0 and at most [Longest].
func (p *Problems) NotNegative(flag string, d time.Duration) {
	if d < 0 {
		p.Addf(flag, "must be 0 or more")
	}
	p.NotTooLong(flag, d)
}

// NotTooLong adds a problem unless d is at most [Longest].
func (p *Problems) NotTooLong(flag string, d time.Duration) {
	if d > Longest {
		p.Addf(flag, "must be %.0fh or less, which is 100 years", Longest.Hours())
	}
}

// Between adds a problem unless n is between least and most.
func (p *Problems) Between(flag string, n, least, most int64) {
	if n < least || n > most {
		p.Addf(flag, "must be between %d and %d", least, most)
	}
}

// Err returns all problems as one error, or nil if there are none.
func (p *Problems) Err() error { return errors.Join(p.errs...) }
