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
	// list is where an idle account is, between older and newer ones.
	list         *idlers
	older, newer *account
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
// served up to its limit goes on within it.
func (a *account) limited(r Result, s sending) {
	wait := min(r.RetryAfter, maxPause)
	if a.limit.overloaded(s.window, max(s.flight, a.lanes[sends].used), r.Took, wait) && wait > 0 {
		if until := time.Now().Add(wait); until.After(a.until) {
			a.until = until
		}
	}
}

// accounts are the accounts by the hash of their names.
type accounts struct {
	most   int
	seed   maphash.Seed
	own    map[uint64]*account
	shared [strangers]*account
	// accepted and unproven are the idle accounts of either kind.
	accepted, unproven idlers
}

func newAccounts(most int) accounts {
	s := accounts{
		most: most, seed: maphash.MakeSeed(), own: make(map[uint64]*account),
		accepted: idlers{most: maxAccepted}, unproven: idlers{most: maxUnproven},
	}
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
	if a.shared || a.list != nil || a.lanes[slots].busy() || a.lanes[sends].busy() {
		return
	}
	list := &s.unproven
	if a.accepted {
		list = &s.accepted
	}
	list.push(a)
	if list.n > list.most {
		delete(s.own, list.oldest.key)
		list.remove(list.oldest)
	}
}

// wake takes an account that is idle from its list.
func (s *accounts) wake(a *account) {
	if a.list != nil {
		a.list.remove(a)
	}
}

// idlers are idle accounts in the order in which they became so.
type idlers struct {
	most, n        int
	newest, oldest *account
}

func (l *idlers) push(a *account) {
	a.list, a.older = l, l.newest
	if l.newest != nil {
		l.newest.newer = a
	} else {
		l.oldest = a
	}
	l.newest = a
	l.n++
}

func (l *idlers) remove(a *account) {
	if a.newer != nil {
		a.newer.older = a.older
	} else {
		l.newest = a.older
	}
	if a.older != nil {
		a.older.newer = a.newer
	} else {
		l.oldest = a.newer
	}
	a.list, a.older, a.newer = nil, nil, nil
	l.n--
}
