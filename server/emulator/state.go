package emulator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
)

// State is what an emulator can be filled with, and what it can be asked for: templates, the
// integrations of tokens with their tools, rules by which calls fail, the latency, and strictness.
type State struct {
	templates []object // nil for those built in
	accounts  []heldAccount
	rules     []*rule
	latency   *Latency // nil if the state does not name it
	strict    *bool    // nil if the state does not name it
}

// heldAccount is what a state has of one token.
type heldAccount struct {
	token        sha256sum
	integrations []integration // oldest first; an id that is not given is empty
}

// ParseState reads a state in YAML or JSON. The error names the field that is wrong, and never quotes a
// value.
func ParseState(text []byte) (*State, error) {
	v, err := decodeDocument(text)
	if err != nil {
		return nil, err
	}
	if v == nil {
		v = object{}
	}
	o, err := control(stateFields, v)
	if err != nil {
		return nil, err
	}
	return newState(o), nil
}

// control checks an object that somebody who controls the emulator sent. Only fields that are in the
// object are in the result.
func control(fields []field, v any) (object, error) {
	if _, err := appendJSON(nil, v); err != nil {
		return nil, err
	}
	p := problems{strict: true}
	out, ok := patch(fields...)(&p, location{}, v)
	if !ok {
		return nil, errors.New(strings.Join(p.lines, "; "))
	}
	return out.(object), nil
}

func newState(o object) *State {
	s := &State{}
	if v, ok := o.get("templates"); ok {
		s.templates = []object{}
		for _, t := range v.([]any) {
			s.templates = append(s.templates, t.(object))
		}
	}
	for _, v := range o.list("accounts") {
		a := v.(object)
		held := heldAccount{token: *readToken(a)}
		for _, it := range a.list("integrations") {
			held.integrations = append(held.integrations, it.(integration))
		}
		s.accounts = append(s.accounts, held)
	}
	for _, r := range o.list("faults") {
		s.rules = append(s.rules, r.(*rule))
	}
	if v, ok := o.get("latency"); ok {
		l := v.(Latency)
		s.latency = &l
	}
	if v, ok := o.get("strict"); ok {
		b := v.(bool)
		s.strict = &b
	}
	return s
}

// value returns the state as ParseState reads it.
func (s *State) value() object {
	o := object{}
	if s.templates != nil {
		o = append(o, member{"templates", anyList(s.templates, func(t object) any { return t })})
	}
	if len(s.accounts) > 0 {
		o = append(o, member{"accounts", anyList(s.accounts, func(a heldAccount) any {
			return object{
				{"token_sha256", hex.EncodeToString(a.token[:])},
				{"integrations", anyList(a.integrations, func(it integration) any { return it.held() })},
			}
		})})
	}
	if len(s.rules) > 0 {
		o = append(o, member{"faults", anyList(s.rules, func(r *rule) any { return r.spec() })})
	}
	if s.latency != nil {
		o = append(o, member{"latency", s.latency.String()})
	}
	if s.strict != nil {
		o = append(o, member{"strict", *s.strict})
	}
	return o
}

func anyList[T any](list []T, view func(T) any) []any {
	out := make([]any, len(list))
	for i, item := range list {
		out[i] = view(item)
	}
	return out
}

// JSON returns the state as JSON, and [State.YAML] as YAML. ParseState reads both. Tokens are in it as
// their digests.
func (s *State) JSON() []byte {
	b, _ := appendJSON(nil, s.value()) // what cannot be rendered was refused
	return append(b, '\n')
}

// YAML returns the state as YAML.
func (s *State) YAML() []byte { return appendYAML(s.value()) }

// Load puts a state in place of everything that the emulator holds. Calls are forgotten, and the clock
// shows the real time again. What the state does not name is as it is in a new emulator; with nil, so is
// everything.
func (e *Emulator) Load(s *State) {
	if s == nil {
		s = &State{}
	}
	e.clock.reset()
	e.store.load(s)
	e.rules.replace(s.rules, e.options.Seed)
	e.Adjust(Settings{e.options.Latency, e.options.Strict})
	e.adopt(s)
	e.randomMu.Lock()
	e.random = seeded(e.options.Seed)
	e.randomMu.Unlock()
	if e.journal != nil {
		e.journal.forget(match{})
	}
}

// Reset goes back to the state with which the emulator was made.
func (e *Emulator) Reset() { e.Load(e.options.State) }

// ResetToken removes what belongs to one token: its integrations, its calls, and the rules that are for
// it alone. Its next ids are those of a token that was never seen. What the state of Options has of the
// token is there again.
func (e *Emulator) ResetToken(token string) { e.resetToken(sha256.Sum256([]byte(token))) }

func (e *Emulator) resetToken(token sha256sum) {
	start := e.options.State
	if start == nil {
		start = &State{}
	}
	e.store.reload(start, token)
	e.rules.remove(func(r *rule) bool { return r.match.token != nil && *r.match.token == token })
	var again []*rule
	for _, r := range start.rules {
		if r.match.token != nil && *r.match.token == token {
			again = append(again, r)
		}
	}
	_ = e.rules.add(again) // fewer than were there at the start
	if e.journal != nil {
		e.journal.forget(match{token: &token})
	}
}

// Add adds a state to what the emulator holds. A template, an integration or a rule takes the place of
// the one that has its id or its name. Add fails, and adds nothing, if that would be more than the
// emulator keeps.
func (e *Emulator) Add(s *State) error {
	if err := e.store.add(s, func() error { return e.rules.add(s.rules) }); err != nil {
		return err
	}
	e.adopt(s)
	return nil
}

// adopt takes over the settings that a state names.
func (e *Emulator) adopt(s *State) {
	settings := e.Settings()
	if s.latency != nil {
		settings.Latency = *s.latency
	}
	if s.strict != nil {
		settings.Strict = *s.strict
	}
	e.Adjust(settings)
}

// State returns what the emulator holds. Rules are in it as they were before their first call.
func (e *Emulator) State() *State {
	s := e.store.state()
	s.rules = e.rules.all()
	if settings := e.Settings(); settings.Latency.String() != "0s" {
		s.latency = &settings.Latency
	}
	if settings := e.Settings(); settings.Strict {
		s.strict = &settings.Strict
	}
	return s
}

// held returns the integration as a state has it.
func (it integration) held() object {
	o := object{}
	if it.id != "" {
		o = append(o, member{"id", it.id})
	}
	o = append(o, member{"name", it.name})
	if it.description != nil {
		o = append(o, member{"description", *it.description})
	}
	o = append(o, member{"base_url", it.baseURL}, member{"integration_type", it.kind})
	if it.needsKey {
		o = append(o, member{"auth_type", "API_KEY"})
	}
	if it.authKey != nil {
		o = append(o, member{"auth_key", *it.authKey})
	}
	if it.headers != nil {
		o = append(o, member{"headers", it.headers})
	}
	if it.source != nil {
		o = append(o, member{"source_integration_template_id", *it.source})
	}
	if !it.created.IsZero() {
		o = append(o, member{"created_at", timestamp(it.created)})
	}
	if !it.updated.IsZero() {
		o = append(o, member{"updated_at", timestamp(it.updated)})
	}
	if len(it.tools) > 0 {
		o = append(o, member{"tools", anyList(it.tools, func(t object) any {
			if t.str("id") == "" {
				return t.without("id")
			}
			return t
		})})
	}
	return o
}

// load puts a state in place of everything.
func (s *store) load(from *State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.templates, s.accounts, s.bytes = nil, map[sha256sum]*account{}, 0
	if from.templates != nil {
		s.templates = []object{}
	}
	s.adopt(from)
}

// reload removes one token, and adds what the state has of it.
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

// add adds a state, if there is room for it and also succeeds.
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

// lacks returns what there is no room for, or "". The caller holds mu.
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

// adopt takes over the templates and integrations of a state. The caller holds mu.
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

// mustSize returns the size of an integration that is stored, or may be.
func (it integration) mustSize() int {
	n, _ := it.size()
	return n
}

// sizeOf returns the size of a template as JSON.
func sizeOf(t object) int {
	b, _ := appendJSON(nil, t)
	return len(b)
}

// mix makes the account's next ids depend on ids that it is given, which may be ids that it would have
// come to itself.
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

// state returns the templates, unless they are those built in, and the integrations.
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
