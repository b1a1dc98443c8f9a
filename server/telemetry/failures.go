package telemetry

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/digate/digate/server/status"
)

// maxReasons is the maximum number of remembered reasons. It is limited because Diga's
// error codes are reasons too. The reason that occurred longest ago is forgotten first.
const maxReasons = 64

// failures remembers the last failure with each reason.
type failures struct {
	mu   sync.Mutex
	seen map[string]*status.Error
}

// note remembers a failed call.
func (f *failures) note(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.seen[c.reason]
	if e == nil {
		if len(f.seen) >= maxReasons {
			f.forget()
		}
		if f.seen == nil {
			f.seen = make(map[string]*status.Error)
		}
		e = &status.Error{Reason: brief(c.reason)}
		f.seen[strings.Clone(c.reason)] = e
	}
	e.Count++
	e.Last, e.Method, e.Code, e.Outcome, e.XRequestID = time.Now().UTC(), strings.TrimPrefix(c.method, "/"), codeName(c.code), c.outcome.String(), strings.Clone(c.requestID)
}

func (f *failures) forget() {
	oldest := ""
	for reason, e := range f.seen {
		if oldest == "" || e.Last.Before(f.seen[oldest].Last) {
			oldest = reason
		}
	}
	delete(f.seen, oldest)
}

// Failures returns the last failure with each reason, the latest first.
func (t *Telemetry) Failures() []status.Error {
	t.failures.mu.Lock()
	defer t.failures.mu.Unlock()
	all := make([]status.Error, 0, len(t.failures.seen))
	for _, e := range t.failures.seen {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(a, b status.Error) int {
		return cmp.Or(b.Last.Compare(a.Last), strings.Compare(a.Reason, b.Reason))
	})
	return all
}
