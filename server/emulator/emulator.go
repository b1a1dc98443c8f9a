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
// The emulator works behind any http.Server. Connection resets need HTTP/1.1; over HTTP/2 the stream is
// reset instead. A server with a write timeout cuts off slow and hanging responses.
package emulator

import (
	"crypto/sha256"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options set how an emulator behaves. The zero value is usable.
type Options struct {
	// Latency delays every response after the work is done. A caller that gives up during the delay
	// may still have changed something.
	Latency time.Duration
	// Seed determines every id. Each token has its own sequence, so the ids that a token gets do not
	// depend on what other tokens do.
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
	store    *store
	requests atomic.Int64
	closed   chan struct{}
	close    sync.Once
}

// New returns an emulator without any integration.
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
	return &Emulator{options: o, store: newStore(o), closed: make(chan struct{})}
}

// Close cuts the connections of responses that are hanging, dripping or delayed; later such responses
// end at once. The state stays readable. Close may be called more than once.
func (e *Emulator) Close() { e.close.Do(func() { close(e.closed) }) }

// ServeHTTP responds to one request.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.requests.Add(1)
	a, present := e.respond(w, r)
	if !present || !e.wait(r.Context(), e.options.Latency) {
		panic(http.ErrAbortHandler)
	}
	e.deliver(w, r, a)
}

// Requests returns the number of requests received, of any kind.
func (e *Emulator) Requests() int { return int(e.requests.Load()) }

// Template names an entry of the catalogue.
type Template struct {
	ID, Name, Language string
}

// Templates lists the catalogue without the faults, in the order in which a caller sees it.
func (e *Emulator) Templates() []Template {
	var list []Template
	for _, t := range catalogue() {
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
