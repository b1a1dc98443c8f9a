// Package budget bounds the memory that the requests of all calls under way take.
package budget

import "sync/atomic"

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
	limit     int64
	all       atomic.Int64
	strangers atomic.Int64
	refused   atomic.Uint64
}

// NewMemory returns a budget of so many bytes.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit} }

// Taken returns how many bytes are taken.
func (m *Memory) Taken() int64 { return m.all.Load() }

// Load is how much of a budget is taken, in bytes.
type Load struct {
	// Taken is the part of all, Strangers that of strangers.
	Taken, Strangers, Limit int64
	// Refused counts the requests for which there was not enough.
	Refused uint64
}

// Load returns the load.
func (m *Memory) Load() Load {
	return Load{Taken: m.all.Load(), Strangers: m.strangers.Load(), Limit: m.limit, Refused: m.refused.Load()}
}

// Share returns a request's share of the budget, of which nothing is taken yet.
// Strangers, whose token Diga never accepted, may have a half of the budget, all of
// them together.
func (m *Memory) Share(known bool) Share { return Share{of: m, stranger: !known} }

// Stranger reports whether the share is a stranger's.
func (s *Share) Stranger() bool { return s.stranger }

// Taken reports whether anything of the share is taken.
func (s *Share) Taken() bool { return s.amount != 0 }

// Share is what one request takes. The zero Share takes nothing. It must not be used by
// many goroutines at once.
type Share struct {
	of       *Memory
	stranger bool
	amount   int64
}

// Take takes more bytes, and reports whether they were there. A request that needs more
// than there is may have all.
func (s *Share) Take(bytes int64) bool {
	if s.of == nil {
		return true
	}
	most := s.of.limit
	if s.stranger {
		most /= strangersShare
	}
	bytes = min(bytes, most-s.amount)
	if s.of.all.Add(bytes) > s.of.limit {
		s.of.all.Add(-bytes)
		s.of.refused.Add(1)
		return false
	}
	if s.stranger && s.of.strangers.Add(bytes) > most {
		s.of.strangers.Add(-bytes)
		s.of.all.Add(-bytes)
		s.of.refused.Add(1)
		return false
	}
	s.amount += bytes
	return true
}

// GiveBack gives back all that was taken.
func (s *Share) GiveBack() {
	if s.amount == 0 {
		return
	}
	s.of.all.Add(-s.amount)
	if s.stranger {
		s.of.strangers.Add(-s.amount)
	}
	s.amount = 0
}
