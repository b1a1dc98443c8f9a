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

// headerTimeout is the header in which a caller says how long it waits for the
// response, in seconds. HTTP has none for that.
const headerTimeout = "Digate-Timeout"

// timeoutField is how an error names the header.
const timeoutField = "digate-timeout"

// timing is the time that requests have.
type timing struct {
	// most bounds the time that a caller gives.
	most time.Duration
	// stall is how long the caller may take nothing of the response.
	stall time.Duration
}

// of returns the context of a request whose caller may have said how long it waits for
// the response (Digate-Timeout), and how long for what digate does beside its one
// request to Diga (Prefer: wait). The error is that of a request that says so wrongly.
func (t timing) of(ctx context.Context, w http.ResponseWriter, r *http.Request) (context.Context, context.CancelFunc, *apierror.Error) {
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
	timeout = min(timeout, t.most)
	// The server's own deadline is for requests without one.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout + t.stall))
	ctx, cancel := context.WithTimeout(ctx, timeout)
	return ctx, cancel, nil
}

// parseTimeout reads a number of seconds, such as 30 or 2.5.
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
