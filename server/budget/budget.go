// Package budget limits the memory that all current requests use together.
package budget

import (
	"sync"

	"github.com/digate/digate/server/fairshare"
)

// The maximum memory of a decoded request, in bytes: twice its own bytes, and this much
// for each of its values.
const (
	PerByte  = 2
	PerValue = 450
)

// Small is the size in bytes up to which a request is not counted.
const Small = 1 << 10

// strangersShare is the divisor of the budget for the part that strangers may use.
const strangersShare = 2

// Memory is the memory budget of a server. It is safe for concurrent use.
type Memory struct {
	limit int64

	mu             sync.Mutex
	all, strangers int64
	by             map[Caller]int64 // without callers that use nothing
	refused        Refused
}

// Caller identifies requests that share a part of the budget.
type Caller struct {
	// ID is the caller's number.
	ID uint64
	// Known means that Diga has accepted the caller's token. All other callers are
	// strangers.
	Known bool
}

// NewMemory returns a budget with a limit in bytes.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit, by: make(map[Caller]int64)} }

// Load is the current use of a budget, in bytes.
type Load struct {
	// Taken is the use by all callers, and Strangers that by strangers.
	Taken, Strangers, Limit int64
	Refused                 Refused
}

// Refused counts the refused requests.
type Refused struct {
	// ForAll counts those for which too little memory was free, and ForShare those of
	// callers who have used their share.
	ForAll, ForShare uint64
}

// Load returns the current use.
func (m *Memory) Load() Load {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Load{Taken: m.all, Strangers: m.strangers, Limit: m.limit, Refused: m.refused}
}

// Share returns a request's share of the budget, with nothing reserved yet.
//
// All requests of a caller together may use three times what remains free. All strangers
// together may use half of the budget, and each of them three times what remains free of
// that half.
func (m *Memory) Share(of Caller) Share { return Share{memory: m, of: of} }

// Share is the memory of one request. The zero Share reserves nothing. It is not safe for
// concurrent use.
type Share struct {
	memory *Memory
	of     Caller
	amount int64
}

// Stranger reports whether the share belongs to a stranger.
func (s *Share) Stranger() bool { return !s.of.Known }

// Taken returns the number of reserved bytes.
func (s *Share) Taken() int64 { return s.amount }

// Take reserves more bytes, and reports whether they were available. A caller's only
// request may use everything that is free, and a request that needs more than the whole
// budget may use all of it.
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

// Return releases some of the reserved bytes.
func (s *Share) Return(bytes int64) {
	if bytes == 0 {
		return
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.add(-bytes)
}

// GiveBack releases all reserved bytes.
func (s *Share) GiveBack() { s.Return(s.amount) }

// add changes the counts by some bytes. The caller must hold the budget's lock.
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
