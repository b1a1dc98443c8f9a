package emulator

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// store keeps the integrations of all tokens, within the limits of Options.
type store struct {
	options Options
	clock   *clock

	mu        sync.Mutex
	templates []object // never modified in place; nil for the built-in ones
	accounts  map[sha256sum]*account
	bytes     int // the sum of the sizes of integrations and of templates that are not built in
}

// account is the state of one token.
type account struct {
	random       *rand.ChaCha8
	integrations []integration // oldest first
	refusedOnce  bool          // the last call of the unavailable-once fault was refused
}

func newStore(o Options, c *clock) *store {
	return &store{options: o, clock: c, accounts: map[sha256sum]*account{}}
}

// catalogue returns the templates, in the order of the catalogue.
func (s *store) catalogue() []object {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.templates == nil {
		return catalogue()
	}
	return s.templates
}

// newID returns the account's next id.
func (a *account) newID() string {
	var b [16]byte
	_, _ = a.random.Read(b[:]) // never fails
	return uuid4(b)
}

func (a *account) index(id string) int {
	return slices.IndexFunc(a.integrations, func(it integration) bool { return it.id == id })
}

// now returns the time with the precision that Diga stores.
func (s *store) now() time.Time { return s.clock.now().UTC().Truncate(time.Microsecond) }

func (s *store) full(what string) *response {
	resp := refusal(429, "EMULATOR_LIMIT_REACHED", "The emulator keeps no more "+what)
	return &resp
}

// account returns the state of a token. It creates the state if there is none. The caller
// must hold mu.
func (s *store) account(token sha256sum) (*account, *response) {
	if a := s.accounts[token]; a != nil {
		return a, nil
	}
	if len(s.accounts) >= s.options.MaxTokens {
		return nil, s.full("tokens")
	}
	a := s.newAccount(token)
	s.accounts[token] = a
	return a, nil
}

// newAccount returns the state of a new token.
func (s *store) newAccount(token sha256sum) *account {
	seed := token
	binary.LittleEndian.PutUint64(seed[:], binary.LittleEndian.Uint64(seed[:])^uint64(s.options.Seed))
	return &account{random: rand.NewChaCha8(seed)}
}

// create stores a new integration with new ids and the current time.
func (s *store) create(token sha256sum, it integration) (integration, *response) {
	size, refused := it.size()
	if refused != nil {
		return it, refused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, refused := s.account(token)
	switch {
	case refused != nil:
		return it, refused
	case len(a.integrations) >= s.options.MaxIntegrations:
		return it, s.full("integrations of one token")
	case s.bytes+size > s.options.MaxBytes:
		return it, s.full("data")
	}
	it.id = a.newID()
	for i, t := range it.tools {
		it.tools[i] = t.with("id", a.newID())
	}
	it.created = s.now()
	it.updated = it.created
	a.integrations = append(a.integrations, it)
	s.bytes += size
	return it, nil
}

// integrations returns all integrations of a token, oldest first.
func (s *store) integrations(token sha256sum) []integration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[token]; a != nil {
		return slices.Clone(a.integrations)
	}
	return nil
}

func notFound(id string) *response {
	resp := refusal(404, "INTEGRATION_NOT_FOUND", "There is no integration "+id)
	return &resp
}

// get returns one integration.
func (s *store) get(token sha256sum, id string) (integration, *response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[token]; a != nil {
		if i := a.index(id); i >= 0 {
			return a.integrations[i], nil
		}
	}
	return integration{}, notFound(id)
}

// update replaces an integration by the result of change. If change returns an error,
// nothing changes.
func (s *store) update(token sha256sum, id string, change func(it integration, newID func() string) (integration, *response)) (integration, *response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[token]
	if a == nil {
		return integration{}, notFound(id)
	}
	i := a.index(id)
	if i < 0 {
		return integration{}, notFound(id)
	}
	before, refused := a.integrations[i].size()
	if refused != nil {
		return integration{}, refused
	}
	it, refused := change(a.integrations[i], a.newID)
	if refused != nil {
		return integration{}, refused
	}
	after, refused := it.size()
	switch {
	case refused != nil:
		return integration{}, refused
	case after > before && s.bytes+after-before > s.options.MaxBytes:
		return integration{}, s.full("data")
	}
	a.integrations[i] = it
	s.bytes += after - before
	return it, nil
}

// remove deletes one integration and its tools.
func (s *store) remove(token sha256sum, id string) *response {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[token]
	if a == nil {
		return notFound(id)
	}
	i := a.index(id)
	if i < 0 {
		return notFound(id)
	}
	size, refused := a.integrations[i].size()
	if refused != nil {
		return refused
	}
	a.integrations = slices.Delete(a.integrations, i, i+1)
	s.bytes -= size
	return nil
}

// alternate reports whether this is the first, third, fifth … call for a token.
func (s *store) alternate(token sha256sum) (bool, *response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, refused := s.account(token)
	if refused != nil {
		return false, refused
	}
	a.refusedOnce = !a.refusedOnce
	return a.refusedOnce, nil
}
