package admission

import (
	"hash/maphash"
	"time"
)

const (
	// strangers is how many accounts the tokens share that the upstream did not
	// accept yet.
	strangers = 16
	// maxAccepted bounds the idle accounts that are remembered, and maxUnproven those
	// of which nothing is known but that the upstream limits them: it may do so to
	// invented tokens too. Each kind pushes out its own.
	maxAccepted = 4096
	maxUnproven = 512
	// maxPause bounds the time that the upstream may name. After it the upstream is
	// asked again: a time that is far off may be a mistake, or a proxy's.
	maxPause = 30 * time.Second
)

// account is whose calls the upstream limits together.
type account struct {
	key   uint64
	limit limit
	// until is when the account may send again.
	until time.Time
	// lanes are its places in the two lines.
	lanes [2]lane

	shared   bool // by strangers: has no evidence and is never forgotten
	accepted bool
	// idle is its link among the idle accounts.
	idle link[account]
}

func newAccount(key uint64, most int) *account {
	a := &account{key: key, limit: newLimit(most, 0)}
	for i := range a.lanes {
		a.lanes[i].account = a
	}
	return a
}

// paused returns how long the account has to wait because the upstream said so.
func (a *account) paused() time.Duration {
	if a.until.IsZero() {
		return 0 // without asking for the time
	}
	return max(time.Until(a.until), 0)
}

// mayTake reports whether the account may have one more in a line.
func (a *account) mayTake(which int) bool {
	return a.lanes[which].used < a.limit.current() && a.paused() == 0
}

// limited takes a refusal. The account is paused for the time that the upstream
// named if it was served nothing since the last fall of its limit: one that is
// served up to its limit goes on within it. limited reports whether the account is
// paused for longer than it was.
func (a *account) limited(r Result, s sending) bool {
	wait := min(r.RetryAfter, maxPause)
	if !a.limit.overloaded(s.window, max(s.flight, a.lanes[sends].used), r.Took, wait) || wait <= 0 {
		return false
	}
	until := time.Now().Add(wait)
	if !until.After(a.until) {
		return false
	}
	a.until = until
	return true
}

// accounts are the accounts by the hash of their names.
type accounts struct {
	most   int
	seed   maphash.Seed
	own    map[uint64]*account
	shared [strangers]*account
	// accepted and unproven are the idle accounts of either kind, those that have been
	// idle for longest first.
	accepted, unproven list[account]
}

func newAccounts(most int) accounts {
	s := accounts{most: most, seed: maphash.MakeSeed(), own: make(map[uint64]*account)}
	for i := range s.shared {
		s.shared[i] = newAccount(uint64(i), most)
		s.shared[i].shared = true
	}
	return s
}

// find returns the account of a name for an exchange, and the name's hash. The
// account is to be settled after the exchange.
func (s *accounts) find(name string) (*account, uint64) {
	key := maphash.String(s.seed, name)
	own := s.own[key]
	if own == nil {
		return s.shared[key%strangers], key
	}
	s.wake(own)
	return own, key
}

// caller returns the hash of a caller's name, 0 for none.
func (s *accounts) caller(name string) uint64 {
	if name == "" {
		return 0
	}
	return maphash.String(s.seed, name) | 1
}

// known returns the account of a ticket whose name the upstream knows, and gives it
// a state of its own.
func (s *accounts) known(t *Ticket, accepted bool) *account {
	own := t.account
	if own.shared {
		if own = s.own[t.key]; own == nil {
			own = newAccount(t.key, s.most)
			s.own[t.key] = own
		}
	}
	if accepted && !own.accepted {
		s.wake(own)
		own.accepted = true
	}
	s.settle(own)
	return own
}

// settle remembers an account that has become idle, and forgets the one that has
// been so for longest if there are too many.
func (s *accounts) settle(a *account) {
	if a.shared || a.idle.in() || a.lanes[slots].busy() || a.lanes[sends].busy() {
		return
	}
	idle, most := &s.unproven, maxUnproven
	if a.accepted {
		idle, most = &s.accepted, maxAccepted
	}
	idle.push(a, &a.idle)
	if idle.n > most {
		oldest := idle.head()
		delete(s.own, oldest.key)
		oldest.idle.remove()
	}
}

// wake takes an account that is idle from its list.
func (s *accounts) wake(a *account) {
	if a.idle.in() {
		a.idle.remove()
	}
}
