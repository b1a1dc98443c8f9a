package emulator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// State is the content of an emulator: templates, integrations of tokens with their
// tools, rules, the latency, and strictness.
type State struct {
	templates []object // nil for the built-in ones
	accounts  []heldAccount
	rules     []*rule
	latency   *Latency // nil if the state does not set it
	strict    *bool    // nil if the state does not set it
}

// heldAccount is a token in a state, with its integrations.
type heldAccount struct {
	token        sha256sum
	integrations []integration // oldest first; the id may be empty
}

// ParseState parses a state in YAML or JSON. The error names the invalid field and never
// quotes a value.
func ParseState(text []byte) (*State, error) {
	v, err := decodeDocument(text)
	if err != nil {
		return nil, err
	}
	if v == nil {
		v = object{}
	}
	o, err := checkObject(stateFields, v)
	if err != nil {
		return nil, err
	}
	return newState(o), nil
}

// checkObject validates an object in the form of the control routes. The result has only
// the fields that the object has.
func checkObject(fields []field, v any) (object, error) {
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

// value returns the state in the form that ParseState reads.
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

// JSON returns the state as JSON, which [ParseState] reads. It contains the digests of
// tokens, not the tokens.
func (s *State) JSON() []byte {
	b, _ := appendJSON(nil, s.value()) // values that cannot be rendered were refused
	return append(b, '\n')
}

// YAML returns the same as [State.JSON], as YAML.
func (s *State) YAML() []byte { return appendYAML(s.value()) }

// Load replaces the whole content of the emulator by a state. It also removes all calls
// and makes the clock show the real time again. Everything that the state does not set is
// as in a new emulator. A nil state sets nothing.
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

// Reset returns to the state in the emulator's options.
func (e *Emulator) Reset() { e.Load(e.options.State) }

// ResetToken removes everything that belongs to one token: its integrations, its calls,
// and the rules for it alone. The next ids are those of a new token. The part of
// Options.State for the token is loaded again.
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
	_ = e.rules.add(again) // fewer than there were at the start
	if e.journal != nil {
		e.journal.forget(match{token: &token})
	}
}

// Add adds a state to the content of the emulator. A template or an integration replaces
// an existing one with the same id, and a rule one with the same name. If there is no
// room, Add fails and adds nothing.
func (e *Emulator) Add(s *State) error {
	if err := e.store.add(s, func() error { return e.rules.add(s.rules) }); err != nil {
		return err
	}
	e.adopt(s)
	return nil
}

// adopt applies the settings in a state.
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

// State returns the content of the emulator. The rules have no counts.
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

// held returns the integration in the form of a state.
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
