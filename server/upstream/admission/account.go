package admission

import (
	"hash/maphash"
	"time"
)

const (
	// strangers is the number of account objects that all tokens share which the upstream
	// has not accepted yet.
	strangers = 16
	// maxAccepted is the maximum number of remembered idle accounts that the upstream has
	// accepted. maxUnproven is that of idle accounts which are only known to be rate
	// limited, which may happen to invented tokens too. The two kinds do not displace
	// each other.
	maxAccepted = 4096
	maxUnproven = 512
	// maxPause limits the time to wait that the upstream names. After it, requests are
	// sent again: a longer time may be a mistake, or come from a proxy.
	maxPause = 30 * time.Second
)

// account is a set of calls that the upstream limits together.
type account struct {
	key   uint64
	limit limit
	// until is when the account may send again.
	until time.Time
	// lanes are the account's parts of the two lines.
	lanes [2]lane

	shared   bool // shared by strangers: has no evidence and is never forgotten
	accepted bool
	// idle links the account into one of the lists of idle accounts.
	idle link[account]
}

func newAccount(key uint64, most int) *account {
	a := &account{key: key, limit: newLimit(most, 0)}
	for i := range a.lanes {
		a.lanes[i].account = a
	}
	return a
}

// paused returns how long the account still has to wait because the upstream said so.
func (a *account) paused() time.Duration {
	if a.until.IsZero() {
		return 0 // avoids reading the clock
	}
	return max(time.Until(a.until), 0)
}

// mayTake reports whether the account may have another exchange in a line.
func (a *account) mayTake(which int) bool {
	return a.lanes[which].used < a.limit.current() && a.paused() == 0
}

// limited handles a 429. It pauses the account for the time that the upstream named,
// unless an exchange of the account was served since its limit last fell: such an account
// continues within its limit. limited reports whether the pause became longer.
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

// accounts are the accounts, by the hash of their names.
type accounts struct {
	most   int
	seed   maphash.Seed
	own    map[uint64]*account
	shared [strangers]*account
	// accepted and unproven are the idle accounts of each kind, the longest idle first.
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

// find returns the account with a name, and the hash of the name. The caller must call
// settle after the exchange.
func (s *accounts) find(name string) (*account, uint64) {
	key := maphash.String(s.seed, name)
	own := s.own[key]
	if own == nil {
		return s.shared[key%strangers], key
	}
	s.wake(own)
	return own, key
}

// caller returns the hash of a caller's name, or 0 for an empty name.
func (s *accounts) caller(name string) uint64 {
	if name == "" {
		return 0
	}
	return maphash.String(s.seed, name) | 1
}

// known returns the account of a ticket whose name the upstream knows, with state of its
// own.
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

// settle puts an account that has become idle into its list. If the list is full, it
// forgets the account that has been idle longest.
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

// wake removes an idle account from its list.
func (s *accounts) wake(a *account) {
	if a.idle.in() {
		a.idle.remove()
	}
}
