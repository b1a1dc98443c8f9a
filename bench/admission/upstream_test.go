package admission

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/digate/digate/test/rig"
)

const (
	created = `{"id":"0d1c8b9e-54e6-4c3a-8f0a-2f7f1f3d9c11","name":"CRM","base_url":"https://crm","auth_type":"NONE",` +
		`"integration_type":"HTTP","created_at":"2026-02-03T04:05:06Z","updated_at":"2026-02-03T04:05:06Z"}`
	envelope = `{"error_code":"OVERLOADED","message":"too much to do"}`
)

// refusal is the response to a request beyond the capacity.
type refusal struct {
	status     int // 0 is silence, until the client leaves
	retryAfter string
}

// upstream serves a number of requests at once, each for a while.
type upstream struct {
	*rig.HTTPServer

	mu       sync.Mutex
	capacity int
	takes    time.Duration
	beyond   refusal
	tally
}

// tally is what an upstream counts.
type tally struct {
	began               time.Time
	now, most           int
	served, refused     int
	reached             int           // in flight
	reachedAfter        time.Duration // when that many first were under way
	servedBy, refusedBy [60]int       // by the second
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{capacity: 1 << 20}
	var err error
	if u.HTTPServer, err = rig.NewHTTPServer(u); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
	return u
}

// set begins a new tally with what the upstream does from now on. The time when
// reach requests are under way at once is noted.
func (u *upstream) set(capacity int, takes time.Duration, beyond refusal, reach int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.capacity, u.takes, u.beyond = capacity, takes, beyond
	u.tally = tally{began: time.Now(), now: u.now, reached: reach}
}

// grow changes how many requests are served at once.
func (u *upstream) grow(capacity int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.capacity = capacity
}

// counted returns the tally.
func (u *upstream) counted() tally {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.tally
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	takes, beyond, ok := u.begin()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case ok:
		wait(r, takes)
		u.end()
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, created)
	case beyond.status == 0:
		wait(r, time.Minute)
	default:
		if beyond.retryAfter != "" {
			w.Header().Set("Retry-After", beyond.retryAfter)
		}
		w.WriteHeader(beyond.status)
		_, _ = io.WriteString(w, envelope)
	}
}

// begin takes a request, and reports whether it is served.
func (u *upstream) begin() (takes time.Duration, beyond refusal, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	after := time.Since(u.began)
	second := min(int(after/time.Second), len(u.servedBy)-1)
	if u.now >= u.capacity {
		u.refused++
		u.refusedBy[second]++
		return 0, u.beyond, false
	}
	u.served++
	u.servedBy[second]++
	u.now++
	u.most = max(u.most, u.now)
	if u.now >= u.reached && u.reachedAfter == 0 {
		u.reachedAfter = after
	}
	return u.takes, refusal{}, true
}

func (u *upstream) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.now--
}

// wait waits until the time is over or the client leaves.
func wait(r *http.Request, d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}
