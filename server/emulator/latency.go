package emulator

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxDelay is the longest delay.
const maxDelay = time.Hour

// Latency is a distribution of delays. The zero value is no delay.
type Latency struct {
	points []point // by ascending share, their delays ascending too
}

// point says that a share of all delays, between 0 and 1, is no longer than delay.
type point struct {
	share float64
	delay time.Duration
}

// Constant returns the distribution in which every delay is d.
func Constant(d time.Duration) Latency {
	if d <= 0 {
		return Latency{}
	}
	return Latency{[]point{{1, d}}}
}

// ParseLatency parses a distribution: one duration, such as "20ms", or percentiles, such
// as "p50=20ms,p99=800ms,p100=2s". Between two percentiles the delays are distributed
// evenly. Below the first percentile all delays are equal to its delay, and above the
// last one to that of the last.
func ParseLatency(text string) (Latency, error) {
	if !strings.Contains(text, "=") {
		d, err := parseDelay(text)
		return Constant(d), err
	}
	var l Latency
	for pair := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		digits, named := strings.CutPrefix(name, "p")
		percent, err := strconv.ParseFloat(digits, 64)
		if !named || err != nil || !(percent >= 0 && percent <= 100) {
			return Latency{}, fmt.Errorf("%q is no percentile: write p0 to p100", name)
		}
		d, err := parseDelay(value)
		if err != nil {
			return Latency{}, err
		}
		if n := len(l.points); n > 0 && (l.points[n-1].share >= percent/100 || l.points[n-1].delay > d) {
			return Latency{}, errors.New("percentiles must ascend, and so must their durations")
		}
		l.points = append(l.points, point{percent / 100, d})
	}
	return l, nil
}

// parseDelay parses a duration between 0 and maxDelay.
func parseDelay(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration, such as 20ms or 1.5s", text)
	}
	if d < 0 || d > maxDelay {
		return 0, fmt.Errorf("%q is not between 0s and 1h", text)
	}
	return d, nil
}

// String returns the distribution in the form that ParseLatency reads.
func (l Latency) String() string {
	switch {
	case len(l.points) == 0:
		return "0s"
	case len(l.points) == 1 && l.points[0].share == 1:
		return l.points[0].delay.String()
	}
	pairs := make([]string, len(l.points))
	for i, p := range l.points {
		pairs[i] = "p" + strconv.FormatFloat(p.share*100, 'g', 10, 64) + "=" + p.delay.String()
	}
	return strings.Join(pairs, ",")
}

// MarshalText returns what [Latency.String] returns.
func (l Latency) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads what [ParseLatency] reads.
func (l *Latency) UnmarshalText(text []byte) (err error) {
	*l, err = ParseLatency(string(text))
	return err
}

// at returns the delay that the given share of all delays does not exceed.
func (l Latency) at(share float64) time.Duration {
	if len(l.points) == 0 {
		return 0
	}
	i := slices.IndexFunc(l.points, func(p point) bool { return p.share >= share })
	switch {
	case i < 0:
		return l.points[len(l.points)-1].delay
	case i == 0:
		return l.points[0].delay
	}
	low, high := l.points[i-1], l.points[i]
	part := (share - low.share) / (high.share - low.share)
	return low.delay + time.Duration(part*float64(high.delay-low.delay))
}
