package apierror

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// defaultRetryAfter is used if Diga names no usable delay.
	defaultRetryAfter = time.Second
	// maxRetryAfter is the longest delay that Diga can ask for.
	maxRetryAfter = 24 * time.Hour
)

// retryAfter parses Retry-After (RFC 9110, 10.2.3), in seconds or as a date, and reports
// whether it is usable. It compares a date with the Date of the response, so that the
// clocks may differ.
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
