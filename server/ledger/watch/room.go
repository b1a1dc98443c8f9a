package watch

import (
	"sync"
	"sync/atomic"
	"time"
)

// roomUnproven is how long a store that said that it is full counts as full while
// nobody claims anything.
const roomUnproven = 15 * time.Second

// room remembers what claims say about the room for records. A probe cannot tell: it
// removes its record, so that the next probe fits where the last one was.
type room struct {
	claimed atomic.Int64 // claims since the last verdict, or since the first that found no room

	mu     sync.Mutex
	full   int64 // the claims since the last verdict that found no room
	err    error // of the last of them
	fullAt time.Time
	short  bool // the last verdict
}

// refused notes a claim for which there was no room.
func (r *room) refused(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full == 0 {
		r.claimed.Store(1)
	}
	r.full, r.err, r.fullAt = r.full+1, err, time.Now()
}

// verdict returns the error of the last claim that found no room, if most of the latest
// claims found none. Where nobody claims, the last verdict remains for [roomUnproven].
func (r *room) verdict() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	claimed := r.claimed.Swap(0)
	full := min(r.full, claimed)
	r.full = 0
	switch {
	case claimed > 0:
		r.short = 2*full > claimed
	case time.Since(r.fullAt) >= roomUnproven:
		r.short = false
	}
	if !r.short {
		return nil
	}
	return r.err
}
