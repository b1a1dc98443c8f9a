package apierror

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// defaultRetryAfter is used if Diga gave no usable delay.
	defaultRetryAfter = time.Second
	// maxRetryAfter bounds the delay that Diga may ask for.
	maxRetryAfter = 24 * time.Hour
)

// retryAfter reads Retry-After (RFC 9110, 10.2.3), in seconds or as a date, and
// reports whether it was usable. A date is compared with the response's own Date,
// so that the clocks need not agree.
func retryAfter(h http.Header) (wait time.Duration, content bool) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil && seconds <= uint64(maxRetryAfter/time.Second) {
		return time.Duration(seconds) * time.Second, true
	}
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return maxRetryAfter, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return defaultRetryAfter, false
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	if wait := at.Sub(now); wait > 0 {
		return min(wait, maxRetryAfter), true
	}
	return defaultRetryAfter, true
}
