// Package budget bounds the memory that the requests of all calls under way take.
package budget

import (
	"sync"

	"github.com/digate/digate/server/fairshare"
)

// What a request takes in memory once it is decoded, in bytes, at most: twice its own
// bytes, and so much for each value that it holds.
const (
	PerByte  = 2
	PerValue = 450
)

// Small is the size of a request in bytes up to which it is not worth counting.
const Small = 1 << 10

// strangersShare is the part of a budget that strangers may have.
const strangersShare = 2

// Memory is the budget of a server. It may be used by many goroutines.
type Memory struct {
	limit int64

	mu             sync.Mutex
	all, strangers int64
	by             map[Caller]int64 // without those who have nothing
	refused        Refused
}

// Caller is whose requests have a share together.
type Caller struct {
	// ID tells callers apart.
	ID uint64
	// Known reports whether Diga accepted the caller's token. Everybody else is a stranger.
	Known bool
}

// NewMemory returns a budget of so many bytes.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit, by: make(map[Caller]int64)} }

// Load is how much of a budget is taken, in bytes.
type Load struct {
	// Taken is the part of all, Strangers that of strangers.
	Taken, Strangers, Limit int64
	Refused                 Refused
}

// Refused counts the requests that were refused.
type Refused struct {
	// ForAll counts those for which there was not enough, and ForShare those of callers
	// who have their share.
	ForAll, ForShare uint64
}

// Load returns the load.
func (m *Memory) Load() Load {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Load{Taken: m.all, Strangers: m.strangers, Limit: m.limit, Refused: m.refused}
}

// Share returns a request's share of the budget, of which nothing is taken yet.
//
// A caller may have three times what it leaves free, in all of its requests together. Strangers
// may have a half of the budget, all of them together, and each of them three times
// what is left free of that.
func (m *Memory) Share(of Caller) Share { return Share{memory: m, of: of} }

// Share is what one request takes. The zero Share takes nothing. It must not be used by
// many goroutines at once.
type Share struct {
	memory *Memory
	of     Caller
	amount int64
}

// Stranger reports whether the share is a stranger's.
func (s *Share) Stranger() bool { return !s.of.Known }

// Taken returns how many bytes are taken.
func (s *Share) Taken() int64 { return s.amount }

// Take takes more bytes, and reports whether they were there. The only request of a
// caller may take all that is free, and one that needs more than there is may have all.
func (s *Share) Take(bytes int64) bool {
	m := s.memory
	if m == nil {
		return true
	}
	most := m.limit
	if s.Stranger() {
		most /= strangersShare
	}
	bytes = min(bytes, most-s.amount)
	m.mu.Lock()
	defer m.mu.Unlock()
	free := m.limit - m.all
	if s.Stranger() {
		free = min(free, most-m.strangers)
	}
	free -= bytes
	switch its := m.by[s.of]; {
	case free < 0:
		m.refused.ForAll++
		return false
	case its > s.amount && !fairshare.Allows(its+bytes, free):
		m.refused.ForShare++
		return false
	}
	s.add(bytes)
	return true
}

// Return gives back so many of the bytes that were taken.
func (s *Share) Return(bytes int64) {
	if bytes == 0 {
		return
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.add(-bytes)
}

// GiveBack gives back all that was taken.
func (s *Share) GiveBack() { s.Return(s.amount) }

// add counts so many bytes more, under the lock of the budget.
func (s *Share) add(bytes int64) {
	m := s.memory
	s.amount += bytes
	m.all += bytes
	if s.Stranger() {
		m.strangers += bytes
	}
	if its := m.by[s.of] + bytes; its != 0 {
		m.by[s.of] = its
	} else {
		delete(m.by, s.of)
	}
}
