package accounts

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// Meter holds the quotas of callers and accounts, by their names: a file that is read
// anew lifts none. It may be used by many goroutines.
type Meter struct {
	mu       sync.Mutex
	callers  map[string]*meter
	accounts map[string]*meter
}

// meter is what one caller or account used of its quota.
type meter struct {
	// used is how many requests of the last second count still: it falls by the quota
	// of a second in a second (a token bucket, told by what is not in it).
	used   float64
	at     time.Time
	day    int64 // since 1970, in UTC
	copies int
	// refused counts the requests for which the quota of a second was used up, and
	// refusedCopies those for which that of a day was.
	refused, refusedCopies uint64
	// waiting counts the copies that wait for the quota of a second.
	waiting int
}

// NewMeter returns a meter of which nothing is used.
func NewMeter() *Meter {
	return &Meter{callers: make(map[string]*meter), accounts: make(map[string]*meter)}
}

// QuotaError is the error of a quota that is used up.
type QuotaError struct {
	// Quota says whose quota that is, and which.
	Quota string
	// Wait is how long it takes until there is room for one more.
	Wait time.Duration
	// Day means that it is the quota of a day.
	Day bool

	of *meter
}

func (r *QuotaError) Error() string { return r.Quota + " is used up" }

// use is one quota that a request counts for.
type use struct {
	noun, name string
	quota      Quota
	meter      *meter
}

// Take counts a request of a caller in an account, and as a copy if it is one. The
// error is a [*QuotaError]; then the request counts as refused alone.
func (m *Meter) Take(c *Caller, a *Account, isCopy bool) error {
	return m.refused(m.take(c, a, isCopy))
}

// refused counts the request of an error as refused, and returns the error.
func (m *Meter) refused(err error) error {
	r, ok := err.(*QuotaError)
	if !ok {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Day {
		r.of.refusedCopies++
	} else {
		r.of.refused++
	}
	return err
}

// take is [Meter.Take] that counts no refusal.
func (m *Meter) take(c *Caller, a *Account, isCopy bool) error {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	uses := [...]use{
		{"caller", c.Name, c.Quota, find(m.callers, c.Name, now)},
		{"account", a.Name, a.Quota, find(m.accounts, a.Name, now)},
	}
	var longest *QuotaError
	for i := range uses {
		if r := uses[i].refusal(now, isCopy); r != nil && (longest == nil || r.Wait > longest.Wait) {
			longest = r
		}
	}
	if longest != nil {
		return longest
	}
	for _, u := range uses {
		u.meter.used++
		if isCopy {
			u.meter.copies++
		}
	}
	return nil
}

// Wait is [Meter.Take] that waits for the quotas of a second while the context leaves
// the time. It does not wait for another day.
func (m *Meter) Wait(ctx context.Context, c *Caller, a *Account, isCopy bool) error {
	for {
		err := m.take(c, a, isCopy)
		r, short := err.(*QuotaError)
		if !short || r.Day {
			return m.refused(err)
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= r.Wait {
			return m.refused(err)
		}
		if err := m.wait(ctx, r); err != nil {
			return err
		}
	}
}

// wait waits as long as an error says, and counts that somebody does. It returns the
// context's error if that ends earlier.
func (m *Meter) wait(ctx context.Context, r *QuotaError) error {
	m.count(r.of, 1)
	defer m.count(r.of, -1)
	timer := time.NewTimer(r.Wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// count adds to those that wait.
func (m *Meter) count(of *meter, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of.waiting += n
}

// GiveBack takes back that a request counted as a copy: none was made.
func (m *Meter) GiveBack(c *Caller, a *Account) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, used := range []*meter{find(m.callers, c.Name, now), find(m.accounts, a.Name, now)} {
		used.copies = max(used.copies-1, 0) // it may have been of the day before
	}
}

const day = 24 * time.Hour

// find returns the meter of a name, on the day of a time.
func find(meters map[string]*meter, name string, now time.Time) *meter {
	m := meters[name]
	if m == nil {
		m = &meter{at: now}
		meters[name] = m
	}
	if today := now.Unix() / int64(day/time.Second); today != m.day {
		m.day, m.copies = today, 0
	}
	return m
}

// refusal returns why one more request is too many, nil if it is not.
func (u *use) refusal(now time.Time, isCopy bool) *QuotaError {
	if isCopy && u.quota.CopiesPerDay >= 0 && u.meter.copies >= u.quota.CopiesPerDay {
		return &QuotaError{
			Quota: fmt.Sprintf("copies_per_day of the %s %s, which is %d and begins anew at 0:00 UTC,", u.noun, u.name, u.quota.CopiesPerDay),
			Wait:  now.UTC().Truncate(day).Add(day).Sub(now), Day: true, of: u.meter,
		}
	}
	u.drain(now)
	short := u.meter.used + 1 - max(u.quota.PerSecond, 1)
	if u.quota.PerSecond == 0 || short <= 0 {
		return nil
	}
	return &QuotaError{
		Quota: fmt.Sprintf("requests_per_second of the %s %s, which is %g,", u.noun, u.name, u.quota.PerSecond),
		Wait:  time.Duration(math.Ceil(short / u.quota.PerSecond * float64(time.Second))), of: u.meter,
	}
}

// drain forgets what was used so long ago that it no longer counts. As many requests
// may come at once as may come in a second.
func (u *use) drain(now time.Time) {
	m := u.meter
	m.used = max(m.used-now.Sub(m.at).Seconds()*u.quota.PerSecond, 0)
	if m.at = now; u.quota.PerSecond == 0 {
		m.used = 0
	}
}
