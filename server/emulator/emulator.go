// Package emulator is Diga's integration API in one http.Handler: it keeps integrations and their
// tools in memory, separately for each bearer token. It responds as Diga does, down to the wording of
// validation errors. The templates of Faults make it fail, each in its own way.
//
// It replaces Diga in tests of digate, so it shares no code with digate. Its wording is that of
// FastAPI 0.121 with pydantic 2.12, the generation whose error schema Diga publishes.
//
// Where the published contract is silent, it decides as follows.
//   - A malformed JSON body is refused first, then a missing token, then anything else. FastAPI checks in
//     this order.
//   - current_page and total_pages are null unless page was asked for. Naming two of after, before and
//     page, or a cursor that is not in the list, is INVALID_PAGINATION_PARAMETERS.
//   - A null among the variables counts as no value. A placeholder without value stays as it is.
//   - requires_setup holds while a needed key is missing or empty, or while a placeholder is left in
//     the base URL, the headers or the tools.
//   - An integration that was created with integration_type MCP has no tools: no server is contacted.
//   - A tool that does not exist is 404 INTEGRATION_TOOL_NOT_FOUND. tool-approval changes all or nothing.
//   - MaxTokens, MaxIntegrations and MaxBytes of Options bound the state; a write beyond them is refused
//     with 429 EMULATOR_LIMIT_REACHED and no Retry-After.
//
// A State is what an emulator holds: templates, integrations and rules. Tests load and read it. A Rule
// makes calls fail, chosen by operation, id, token or chance. With Options.Control the emulator keeps the
// calls that it got, and serves all of this over HTTP below /_emulator/, for tests in any language.
//
// The emulator works behind any http.Server. Connection resets need HTTP/1.1; over HTTP/2 the stream is
// reset instead. A server with a write timeout cuts off slow and hanging responses.
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

// Options set how an emulator behaves. The zero value is usable.
type Options struct {
	// Latency delays every response after the work is done. A caller that gives up during the delay
	// may still have changed something.
	Latency Latency
	// Strict refuses what the contract does not name, although Diga ignores it or reads it otherwise:
	// unknown fields and query parameters, an id in another form, text or a number in place of a boolean,
	// text in place of a number, a body that is not declared as JSON or is sent where there is none.
	Strict bool
	// Control serves the routes below /_emulator/, by which a test fills the emulator, makes calls fail
	// and looks at them. With it, the emulator keeps the last 10,000 calls.
	Control bool
	// State is what the emulator holds at first and after [Emulator.Reset]; nil for no integrations, and
	// the templates built in.
	State *State
	// Seed determines every id, every latency, and which calls rules with OneIn strike. Each token has its
	// own sequence, so the ids that a token gets do not depend on what other tokens do.
	Seed int64
	// Drip is how long the slow-drip fault takes over one response; 3 s when zero.
	Drip time.Duration
	// Now returns the time for created_at and updated_at; time.Now when nil.
	Now func() time.Time

	// MaxTokens is how many tokens may have state; 10,000 when zero.
	MaxTokens int
	// MaxIntegrations is how many integrations one token may have; 10,000 when zero.
	MaxIntegrations int
	// MaxBytes is the approximate size of all state, as JSON; 256 MiB when zero.
	MaxBytes int
}

// Emulator is an http.Handler. Its methods may be called concurrently.
type Emulator struct {
	options  Options
	clock    *clock
	store    *store
	rules    rules
	journal  *journal // nil without Control
	settings atomic.Pointer[Settings]
	requests atomic.Int64

	randomMu sync.Mutex
	random   *rand.Rand // of latencies

	closed chan struct{}
	close  sync.Once
}

// New returns an emulator that holds the state of the options.
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

// Settings are what may be changed while an emulator runs.
type Settings struct {
	Latency Latency
	Strict  bool
}

// Settings returns the settings as they are.
func (e *Emulator) Settings() Settings { return *e.settings.Load() }

// Adjust changes the settings. Calls that have begun keep the old ones.
func (e *Emulator) Adjust(s Settings) { e.settings.Store(&s) }

// Advance moves the emulator's clock forward. Windows of rules and the times of integrations go by it;
// delays do not. It panics if the clock would be more than 290 years from the real time.
func (e *Emulator) Advance(d time.Duration) {
	if err := e.clock.move(func(t time.Time) time.Time { return t.Add(d) }, nil); err != nil {
		panic("emulator: " + err.Error())
	}
}

// Close cuts the connections of responses that are hanging, dripping or delayed; later such responses
// end at once. The state stays readable. Close may be called more than once.
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

// Requests returns the number of requests received, of any kind.
func (e *Emulator) Requests() int { return int(e.requests.Load()) }

// Template is an entry of the catalogue.
type Template struct {
	ID, Name, Language string
}

// Templates lists the catalogue without the faults, in the order in which a caller sees it.
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
	Headers          map[string]string // nil if the response says null
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

// Integrations returns the integrations of a token, oldest first. A test compares a client's
// conclusions with them. The call does not count as a request.
func (e *Emulator) Integrations(token string) []Integration {
	var list []Integration
	for _, it := range e.store.integrations(sha256.Sum256([]byte(token))) {
		list = append(list, it.export())
	}
	return list
}
