package admission

import "time"

const (
	// drainPeriod is how long a queue is watched before its speed is known.
	drainPeriod = time.Second
	// drainGlance is after which part of a period a queue that became faster is
	// believed.
	drainGlance = 100 * time.Millisecond
	// sure is how many times too long the expected wait has to be for a call to be
	// refused because of it: the wait of one that is let in costs little.
	sure = 2
)

// drain measures how fast a queue moves, from when it began to be one.
type drain struct {
	since  time.Time
	n      int
	before float64 // served in a second, of the period before
}

// served notes that one was served.
func (d *drain) served(now time.Time) {
	d.n++
	if period := now.Sub(d.since); period >= drainPeriod {
		// A moment in which nothing moved, on a busy machine, is not how fast it moves.
		d.before = max(float64(d.n)/period.Seconds(), d.before/2)
		d.since, d.n = now, 0
	}
}

// wait returns how long the n-th in the queue waits, 0 if that is not known.
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

// maxWait bounds what a wait is expected to be.
const maxWait = 24 * time.Hour
