// Package emulator implements Diga's integration API as an http.Handler. It keeps
// integrations and their tools in memory, separately for each bearer token. It responds
// as Diga does, down to the wording of validation errors. The templates in [Faults] make
// it fail in different ways.
//
// It replaces Diga in tests of digate, so it shares no code with digate. Its wording is
// that of FastAPI 0.121 with pydantic 2.12, the versions whose error schema Diga
// publishes.
//
// Where Diga's published contract does not define the behaviour, the emulator follows
// these rules:
//   - A malformed JSON body is refused first, then a missing token, then anything else.
//     FastAPI checks in this order.
//   - current_page and total_pages are null unless page is in the query. Two of after,
//     before and page, or a cursor that is not in the list, is INVALID_PAGINATION_PARAMETERS.
//   - A null variable counts as no value. A placeholder without a value is kept.
//   - requires_setup is true while a required key is missing or empty, or while the base
//     URL, the headers or the tools contain a placeholder.
//   - An integration that was created with integration_type MCP has no tools: no server is
//     contacted.
//   - A tool that does not exist is 404 INTEGRATION_TOOL_NOT_FOUND. tool-approval changes
//     all tools or none.
//   - MaxTokens, MaxIntegrations and MaxBytes of Options limit the state. A write beyond
//     them is refused with 429 EMULATOR_LIMIT_REACHED and no Retry-After.
//
// A [State] is the content of an emulator: templates, integrations and rules. Tests load
// and read it. A [Rule] makes calls fail, selected by operation, id, token or at random.
// With Options.Control the emulator keeps the calls that it received, and serves all of
// this over HTTP below /_emulator/, for tests in any language.
//
// The emulator works with any http.Server. Connection resets need HTTP/1.1; over HTTP/2
// the stream is reset instead. A server with a write timeout cuts off slow and hanging
// responses.
package emulator

import (
	"crypto/sha256"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure an emulator. The zero Options are usable.
type Options struct {
	// Latency delays every response after the operation was performed. If a caller
	// disconnects during the delay, the operation may still have changed something.
	Latency Latency
	// Strict refuses everything that the contract does not define, although Diga ignores
	// or converts it: unknown fields and query parameters, an id in another form, text or
	// a number instead of a boolean, text instead of a number, a body that is not
	// declared as JSON or that the operation does not have.
	Strict bool
	// Control serves the routes below /_emulator/, by which a test loads state, makes
	// calls fail and reads the calls. With it, the emulator keeps the last 10,000 calls.
	Control bool
	// State is the initial state, and the state after [Emulator.Reset]. Nil means no
	// integrations and the built-in templates.
	State *State
	// Seed determines every id, every latency, and which calls a rule with OneIn applies
	// to. Each token has its own sequence of ids, so the ids of one token do not depend
	// on other tokens.
	Seed int64
	// Drip is how long the slow-drip fault takes for one response. Zero means 3 s.
	Drip time.Duration
	// Now returns the time for created_at and updated_at. Nil means time.Now.
	Now func() time.Time

	// MaxTokens is the maximum number of tokens with state. Zero means 10,000.
	MaxTokens int
	// MaxIntegrations is the maximum number of integrations of one token. Zero means
	// 10,000.
	MaxIntegrations int
	// MaxBytes is the approximate maximum size of all state, as JSON. Zero means 256 MiB.
	MaxBytes int
}

// Emulator is an http.Handler. It is safe for concurrent use.
type Emulator struct {
	options  Options
	clock    *clock
	store    *store
	rules    rules
	journal  *journal // nil without Control
	settings atomic.Pointer[Settings]
	requests atomic.Int64

	randomMu sync.Mutex
	random   *rand.Rand // for latencies

	closed chan struct{}
	close  sync.Once
}

// New returns an emulator with the state in the options.
func New(o Options) *Emulator {
	if o.Drip == 0 {
		o.Drip = 3 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = 10_000
	}
	if o.MaxIntegrations == 0 {
		o.MaxIntegrations = 10_000
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 256 << 20
	}
	e := &Emulator{options: o, clock: &clock{base: o.Now}, closed: make(chan struct{})}
	e.store = newStore(o, e.clock)
	if o.Control {
		e.journal = newJournal()
	}
	e.Reset()
	return e
}

// Settings can be changed while an emulator runs.
type Settings struct {
	Latency Latency
	Strict  bool
}

// Settings returns the current settings.
func (e *Emulator) Settings() Settings { return *e.settings.Load() }

// Adjust changes the settings. Calls in progress keep the previous ones.
func (e *Emulator) Adjust(s Settings) { e.settings.Store(&s) }

// Advance moves the emulator's clock forward. It affects the windows of rules and the
// times of integrations, but not delays. It panics if the clock would be more than 290
// years from the real time.
func (e *Emulator) Advance(d time.Duration) {
	if err := e.clock.move(func(t time.Time) time.Time { return t.Add(d) }, nil); err != nil {
		panic("emulator: " + err.Error())
	}
}

// Close ends the responses that are hanging, dripping or delayed, and later ones at once.
// The state can still be read. Close may be called repeatedly.
func (e *Emulator) Close() { e.close.Do(func() { close(e.closed) }) }

// ServeHTTP responds to one request.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, controlPrefix) {
		e.serveControl(w, r)
		return
	}
	e.requests.Add(1)
	settings := e.Settings()
	c := &call{path: map[string]string{}}
	resp, present := e.respond(w, r, c, settings.Strict)
	e.journal.add(r, c, resp, e.clock.now())
	if !present || !e.wait(r.Context(), e.draw(settings.Latency)+resp.delay) {
		panic(http.ErrAbortHandler)
	}
	e.deliver(w, r, resp)
}

// Requests returns the number of all received requests.
func (e *Emulator) Requests() int { return int(e.requests.Load()) }

// Template is an entry of the catalogue.
type Template struct {
	ID, Name, Language string
}

// Templates lists the catalogue without the faults, in the order of Diga's list.
func (e *Emulator) Templates() []Template {
	var list []Template
	for _, t := range e.store.catalogue() {
		list = append(list, Template{ID: t.str("id"), Name: t.str("name"), Language: t.str("language")})
	}
	return list
}

// Integration is the state of one integration, secrets included.
type Integration struct {
	ID, Name         string
	Description      *string
	BaseURL          string
	AuthType         string
	IntegrationType  string
	AuthKey          *string
	Headers          map[string]string // nil for null in the response
	RequiresSetup    bool
	SourceTemplateID *string
	CreatedAt        time.Time
	UpdatedAt        time.Time
	Tools            []Tool
}

// Tool is a tool of an integration. EndpointPath and Method are empty for an MCP tool.
type Tool struct {
	ID, Type, Name, EndpointPath, Method string
	ApprovalRequired                     bool
}

// Integrations returns the integrations of a token, oldest first, so that a test can
// compare them with what a client concluded. It does not count as a request.
func (e *Emulator) Integrations(token string) []Integration {
	var list []Integration
	for _, it := range e.store.integrations(sha256.Sum256([]byte(token))) {
		list = append(list, it.export())
	}
	return list
}
