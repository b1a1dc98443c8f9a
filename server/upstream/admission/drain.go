package admission

import "time"

const (
	// drainPeriod is how long a queue is measured before its speed is known.
	drainPeriod = time.Second
	// drainGlance is the part of a period after which a higher speed counts.
	drainGlance = 100 * time.Millisecond
	// sure is how many times longer than permitted the expected wait must be for a call
	// to be refused. Admitting a call that then waits too long costs little.
	sure = 2
)

// drain measures how fast a queue moves.
type drain struct {
	since  time.Time
	n      int
	before float64 // served per second in the previous period
}

// served records that one exchange was served.
func (d *drain) served(now time.Time) {
	d.n++
	if period := now.Sub(d.since); period >= drainPeriod {
		// A moment without progress on a busy machine does not show the queue's speed.
		d.before = max(float64(d.n)/period.Seconds(), d.before/2)
		d.since, d.n = now, 0
	}
}

// wait returns how long the n-th exchange in the queue will wait, or 0 if that is
// unknown.
func (d *drain) wait(n int, now time.Time) time.Duration {
	rate := d.before
	if period := now.Sub(d.since); period >= drainPeriod || rate > 0 && period >= drainGlance {
		rate = max(rate, float64(d.n)/period.Seconds())
	}
	if rate == 0 {
		return 0
	}
	return time.Duration(min(float64(n)/rate, maxWait.Seconds()) * float64(time.Second))
}

// maxWait is the longest expected wait.
const maxWait = 24 * time.Hour
