package emulator

import (
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"slices"
)

// load replaces the whole content by a state.
func (s *store) load(from *State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.templates, s.accounts, s.bytes = nil, map[sha256sum]*account{}, 0
	if from.templates != nil {
		s.templates = []object{}
	}
	s.adopt(from)
}

// reload removes one token, and adds the part of the state for it.
func (s *store) reload(from *State, token sha256sum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[token]; a != nil {
		for _, it := range a.integrations {
			s.bytes -= it.mustSize()
		}
		delete(s.accounts, token)
	}
	s.adopt(&State{accounts: keep(from.accounts, func(a heldAccount) bool { return a.token == token })})
}

// add adds a state, if there is room for it and also returns no error.
func (s *store) add(from *State, also func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what := s.lacks(from); what != "" {
		return errors.New("the emulator keeps no more " + what)
	}
	if err := also(); err != nil {
		return err
	}
	s.adopt(from)
	return nil
}

// lacks names the limit that the state would exceed. It returns "" if there is room. The
// caller must hold mu.
func (s *store) lacks(from *State) string {
	bytes, accounts := s.bytes, len(s.accounts)
	for _, t := range from.templates {
		bytes += sizeOf(t)
	}
	for _, held := range from.accounts {
		have := 0
		if a := s.accounts[held.token]; a != nil {
			have = len(a.integrations)
		} else {
			accounts++
		}
		if have+len(held.integrations) > s.options.MaxIntegrations {
			return "integrations of one token"
		}
		for _, it := range held.integrations {
			bytes += it.mustSize()
		}
	}
	switch {
	case accounts > s.options.MaxTokens:
		return "tokens"
	case bytes > s.options.MaxBytes:
		return "data"
	}
	return ""
}

// adopt copies the templates and integrations of a state. The caller must hold mu.
func (s *store) adopt(from *State) {
	if len(from.templates) > 0 && s.templates == nil {
		s.templates = catalogue()
	}
	for _, t := range from.templates {
		s.bytes += sizeOf(t)
		if i := slices.IndexFunc(s.templates, func(o object) bool { return o.str("id") == t.str("id") }); i >= 0 {
			s.templates = slices.Clone(s.templates)
			s.templates[i] = t
		} else {
			s.templates = append(slices.Clip(s.templates), t)
		}
	}
	for _, held := range from.accounts {
		a := s.accounts[held.token]
		if a == nil {
			a = s.newAccount(held.token)
			s.accounts[held.token] = a
		}
		a.mix(held.integrations)
		for _, it := range held.integrations {
			s.adoptIntegration(a, it)
		}
	}
}

func (s *store) adoptIntegration(a *account, it integration) {
	if it.id == "" {
		it.id = a.newID()
	}
	it.tools = slices.Clone(it.tools)
	for i, t := range it.tools {
		if t.str("id") == "" {
			it.tools[i] = t.with("id", a.newID())
		}
	}
	if it.created.IsZero() {
		it.created = s.now()
	}
	if it.updated.IsZero() {
		it.updated = it.created
	}
	s.bytes += it.mustSize()
	if i := a.index(it.id); i >= 0 {
		s.bytes -= a.integrations[i].mustSize()
		a.integrations[i] = it
		return
	}
	a.integrations = append(a.integrations, it)
}

// mustSize returns the size of an integration that is known to have a JSON form.
func (it integration) mustSize() int {
	n, _ := it.size()
	return n
}

// sizeOf returns the size of a template as JSON.
func sizeOf(t object) int {
	b, _ := appendJSON(nil, t)
	return len(b)
}

// mix makes the account's next ids depend on the given integrations, whose ids the
// account could otherwise generate again.
func (a *account) mix(list []integration) {
	h := sha256.New()
	given := false
	note := func(id string) {
		given = given || id != ""
		h.Write([]byte(id + "\n"))
	}
	for _, it := range list {
		note(it.id)
		for _, t := range it.tools {
			note(t.str("id"))
		}
	}
	if !given {
		return
	}
	var drawn [32]byte
	_, _ = a.random.Read(drawn[:]) // never fails
	h.Write(drawn[:])
	a.random = rand.NewChaCha8(sha256sum(h.Sum(nil)))
}

// state returns the templates, unless they are the built-in ones, and the integrations.
func (s *store) state() *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &State{templates: s.templates}
	for token, a := range s.accounts {
		if len(a.integrations) > 0 {
			out.accounts = append(out.accounts, heldAccount{token, slices.Clone(a.integrations)})
		}
	}
	slices.SortFunc(out.accounts, func(a, b heldAccount) int { return slices.Compare(a.token[:], b.token[:]) })
	return out
}
