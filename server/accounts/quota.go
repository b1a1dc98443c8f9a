package accounts

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// Meter counts requests against the quotas of callers and accounts. It keeps the counts
// by name, so that they survive a new version of the file. It is safe for concurrent use.
type Meter struct {
	mu       sync.Mutex
	callers  map[string]*meter
	accounts map[string]*meter
}

// meter is what one caller or account has used of its quotas.
type meter struct {
	// used is the number of recent requests that still count against the per-second
	// quota. It falls at the rate of the quota (it is the inverse of a token bucket's
	// level).
	used   float64
	at     time.Time
	day    int64 // days since 1970, in UTC
	copies int
	// refused counts the requests that exceeded the per-second quota, and refusedCopies
	// those that exceeded the daily quota.
	refused, refusedCopies uint64
	// waiting counts the copies that are waiting for the per-second quota.
	waiting int
}

// NewMeter returns a meter without any requests.
func NewMeter() *Meter {
	return &Meter{callers: make(map[string]*meter), accounts: make(map[string]*meter)}
}

// QuotaError is the error of a request that exceeds a quota.
type QuotaError struct {
	// Quota says which quota it is, and whose.
	Quota string
	// Wait is how long it takes until the quota allows another request.
	Wait time.Duration
	// Day means that it is the daily quota.
	Day bool

	of *meter
}

func (r *QuotaError) Error() string { return r.Quota + " is used up" }

// use is one quota that a request counts against.
type use struct {
	noun, name string
	quota      Quota
	meter      *meter
}

// Take counts a request of a caller in an account, and counts it as a copy if isCopy is
// set. If a quota is exceeded, the error is a [*QuotaError], and the request counts only
// as refused.
func (m *Meter) Take(c *Caller, a *Account, isCopy bool) error {
	return m.refused(m.take(c, a, isCopy))
}

// refused counts a refused request, and returns its error.
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

// take is [Meter.Take] without counting refused requests.
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

// Wait is [Meter.Take], but waits for the per-second quotas if the context's deadline
// allows that. It does not wait for the daily quotas.
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

// wait waits for the time that the error names. Meanwhile it counts the waiting copy. It
// returns the context's error if the context ends first.
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

// count changes the number of waiting copies by n.
func (m *Meter) count(of *meter, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of.waiting += n
}

// GiveBack undoes counting a request as a copy, because the request created nothing.
func (m *Meter) GiveBack(c *Caller, a *Account) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, used := range []*meter{find(m.callers, c.Name, now), find(m.accounts, a.Name, now)} {
		used.copies = max(used.copies-1, 0) // the copy may have been counted on the day before
	}
}

const day = 24 * time.Hour

// find returns the meter with a name. It resets the daily count if a new day has begun.
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

// refusal returns the error of another request, or nil if the quota allows it.
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

// drain lowers the count of recent requests by what the passed time allows. The quota of
// one second may be used in a burst.
func (u *use) drain(now time.Time) {
	m := u.meter
	m.used = max(m.used-now.Sub(m.at).Seconds()*u.quota.PerSecond, 0)
	if m.at = now; u.quota.PerSecond == 0 {
		m.used = 0
	}
}
