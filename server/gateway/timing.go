package gateway

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/prefer"
)

// headerTimeout is the header in which a caller says for how many seconds it waits for
// the response. HTTP has no standard header for that.
const headerTimeout = "Digate-Timeout"

// timeoutField is the name of the header in errors.
const timeoutField = "digate-timeout"

// timing applies the time limits of requests.
type timing struct {
	// longest is the longest timeout that a caller can set.
	longest time.Duration
	// stall is how long the caller may read nothing while the response is written.
	stall time.Duration
}

// context returns the context of a request with the limits that the caller set: how long it
// waits for the response (Digate-Timeout), and for how long digate may do more than send
// one request to Diga (Prefer: wait). It returns an error if a header is malformed.
func (t timing) context(ctx context.Context, w http.ResponseWriter, r *http.Request) (context.Context, context.CancelFunc, *apierror.Error) {
	if wait, ok := prefer.Wait(r.Header[prefer.Header]); ok {
		w.Header().Set("Preference-Applied", "wait="+strconv.FormatInt(int64(wait/time.Second), 10))
		ctx = prefer.NewContext(ctx, wait)
	}
	values := r.Header[headerTimeout]
	if len(values) == 0 {
		return ctx, func() {}, nil
	}
	timeout, ok := parseTimeout(values)
	if !ok {
		return ctx, func() {}, apierror.InvalidRequest(apierror.Violation{
			Field: timeoutField, Description: "must be one number of seconds above 0, such as 2.5", Reason: "VALUE_ERROR",
		})
	}
	timeout = min(timeout, t.longest)
	// The server's default write deadline is only for requests without a timeout.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout + t.stall))
	ctx, cancel := context.WithTimeout(ctx, timeout)
	return ctx, cancel, nil
}

// parseTimeout parses a number of seconds, such as 30 or 2.5.
func parseTimeout(values []string) (time.Duration, bool) {
	text := strings.TrimSpace(values[0])
	if len(values) > 1 || text == "" || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds <= 0 {
		return 0, false
	}
	return time.Duration(min(seconds, prefer.MaxSeconds) * float64(time.Second)), true
}
