package rig

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kind is what a request creates or changes.
type Kind int

// The kinds of what can be created, and of the request that renames an integration.
const (
	Copy        Kind = iota // an integration from a template
	Integration             // an integration without one
	Tool
	Rename
)

// Request is a request that creates something or renames it, as the upstream sees it.
type Request struct {
	Kind Kind
	// Name is that of what is created, and the new one of what is renamed, without
	// the mark of --settle-doubts.
	Name string
	// Parent is the id of a copy's template or of a tool's integration.
	Parent string
	// Earlier is the number of earlier requests to create something, or to rename it,
	// with that name.
	Earlier int
	Header  http.Header
}

// Behaviour is how the upstream handles one request.
type Behaviour struct {
	// Before is the time until it is done, and After the time from then until the
	// response.
	Before, After time.Duration
	// Attentive means that nothing is created for a caller who leaves before.
	Attentive bool
	// Refuse, if set, is the response of an upstream that does nothing.
	Refuse *Response
	// Fail, if set, is the response that hides what was created.
	Fail *Response
	// Description is that of what is created.
	Description string
	// DeleteLast means that the last item of a full page is deleted once it was read.
	DeleteLast bool
	// Placeholder is the name of the placeholder in the base URL of a template, empty
	// for a template without one.
	Placeholder string
}

// Response is a response of the upstream that shows nothing that it created.
type Response struct {
	Status     int
	RetryAfter string // empty for none
	Body       string
}

// Failure returns a response in Diga's envelope.
func Failure(status int, code string) *Response {
	return &Response{Status: status, Body: fmt.Sprintf(`{"status":"error","error_code":%q,"message":"not now"}`, code)}
}

// Upstream stands in for Diga. It creates something for every request to do so,
// unless its script says otherwise, and keeps the list of it. It takes a name any
// number of times, also for tools, so that nothing hides what is created twice. It
// has every template, adds tools to every integration, and renames integrations.
type Upstream struct {
	*HTTPServer

	script func(Request) Behaviour
	reads  func(http.Header) Behaviour

	mu       sync.Mutex
	attempts map[string]int
	lists    map[string][]made // the tools of an integration by its id, and all integrations by ""
	place    map[string]int    // in its list, by id
	asked    int
	underWay int
	marks    []mark
}

// Created is what the upstream created.
type Created struct {
	Kind     Kind
	ID, Name string
	// At is when it was created, and Deleted when it was deleted, zero if it was not.
	At, Deleted time.Time
}

// made is what the upstream created.
type made struct {
	kind                          Kind
	id, name, parent, description string
	at, deleted                   time.Time
}

// list returns the name of the list that holds it.
func (m made) list() string {
	if m.kind == Tool {
		return m.parent
	}
	return ""
}

type mark struct {
	at      int
	reached chan struct{}
}

// NewUpstream starts an upstream. The script decides on each request that creates
// something or renames it. With a nil script all is done at once.
func NewUpstream(script func(Request) Behaviour) (*Upstream, error) {
	u := &Upstream{
		script: script, attempts: make(map[string]int), lists: make(map[string][]made), place: make(map[string]int),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/integration/template/{parent}/copy", u.create(Copy))
	mux.HandleFunc("POST /v1/integration", u.create(Integration))
	mux.HandleFunc("POST /v1/integration/{parent}/tool", u.create(Tool))
	mux.HandleFunc("PATCH /v1/integration/{id}", u.rename)
	mux.HandleFunc("GET /v1/integration/{id}", u.read(u.get))
	mux.HandleFunc("GET /v1/integration/{parent}/tool/{id}", u.read(u.get))
	mux.HandleFunc("GET /v1/integration", u.read(u.page))
	mux.HandleFunc("GET /v1/integration/{parent}/{id}", u.read(u.below))
	var err error
	u.HTTPServer, err = NewHTTPServer(mux)
	return u, err
}

// ScriptReads sets the script that decides on each request that reads, by its header.
// It must be set before the first request.
func (u *Upstream) ScriptReads(script func(http.Header) Behaviour) { u.reads = script }

// Fill creates integrations without a request, all with that name.
func (u *Upstream) Fill(name string, n int) {
	for range n {
		u.add(made{kind: Integration, name: name})
	}
}

// All returns all that was created, the oldest first.
func (u *Upstream) All() []Created {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []Created
	for _, list := range u.lists {
		for _, m := range list {
			all = append(all, Created{m.kind, m.id, m.name, m.at, m.deleted})
		}
	}
	slices.SortFunc(all, func(a, b Created) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Made returns the ids of what was created, by name.
func (u *Upstream) Made() map[string][]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	by := make(map[string][]string)
	for _, list := range u.lists {
		for _, m := range list {
			by[m.name] = append(by[m.name], m.id)
		}
	}
	return by
}

// Count returns how much of each kind was created.
func (u *Upstream) Count() map[Kind]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := make(map[Kind]int)
	for _, list := range u.lists {
		for _, m := range list {
			n[m.kind]++
		}
	}
	return n
}

// Asked returns how many requests to create something have come.
func (u *Upstream) Asked() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked
}

// UnderWay returns how many requests to create or rename something have come and are
// not done.
func (u *Upstream) UnderWay() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.underWay
}

// Reached returns a channel that is closed when n requests to create something have
// come.
func (u *Upstream) Reached(n int) <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := mark{n, make(chan struct{})}
	if u.asked >= n {
		close(m.reached)
	} else {
		u.marks = append(u.marks, m)
	}
	return m.reached
}

// begin counts a request and returns how to handle it. The caller calls end when it
// is done.
func (u *Upstream) begin(req Request) Behaviour {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.underWay++
	attempt := "create "
	if req.Kind == Rename {
		attempt = "rename "
	} else {
		u.asked++
	}
	u.marks = slices.DeleteFunc(u.marks, func(m mark) bool {
		if m.at > u.asked {
			return false
		}
		close(m.reached)
		return true
	})
	if u.script == nil {
		return Behaviour{}
	}
	req.Name, _, _ = strings.Cut(req.Name, "~")
	attempt += req.Name
	req.Earlier = u.attempts[attempt]
	u.attempts[attempt]++
	return u.script(req)
}

func (u *Upstream) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.underWay--
}

// create returns the handler of the requests that create something.
func (u *Upstream) create(kind Kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, ok := nameIn(r)
		if !ok {
			return // the request was cut
		}
		parent := r.PathValue("parent")
		b := u.begin(Request{Kind: kind, Name: name, Parent: parent, Header: r.Header})
		defer u.end()
		b.handle(w, r, http.StatusCreated, func() (made, bool) {
			return u.add(made{kind: kind, name: name, parent: parent, description: b.Description}), true
		})
	}
}

// rename handles a request that renames an integration.
func (u *Upstream) rename(w http.ResponseWriter, r *http.Request) {
	name, ok := nameIn(r)
	if !ok {
		return // the request was cut
	}
	b := u.begin(Request{Kind: Rename, Name: name, Header: r.Header})
	defer u.end()
	b.handle(w, r, http.StatusOK, func() (made, bool) {
		u.mu.Lock()
		defer u.mu.Unlock()
		m := u.find("", r.PathValue("id"))
		if m == nil {
			return made{}, false
		}
		m.name = name
		return *m, true
	})
}

// nameIn returns the name in a request, and reports whether the request is whole.
func nameIn(r *http.Request) (string, bool) {
	var req struct {
		Name string `json:"name"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &req)
	}
	return req.Name, err == nil
}

// handle does what a request is for, in the given way, and responds.
func (b Behaviour) handle(w http.ResponseWriter, r *http.Request, status int, do func() (made, bool)) {
	if b.Refuse != nil {
		b.Refuse.write(w)
		return
	}
	pause(b.Before)
	if b.Attentive && r.Context().Err() != nil {
		return
	}
	m, ok := do()
	pause(b.After)
	switch {
	case b.Fail != nil:
		b.Fail.write(w)
	case !ok:
		Failure(http.StatusNotFound, "NOT_FOUND").write(w)
	default:
		respond(w, status, m.json())
	}
}

// read returns the handler of requests that read, in the way that the script wants.
func (u *Upstream) read(handler func(http.ResponseWriter, *http.Request, Behaviour)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var b Behaviour
		if u.reads != nil {
			b = u.reads(r.Header)
		}
		pause(b.Before)
		switch {
		case b.Refuse != nil:
			b.Refuse.write(w)
		case b.Fail != nil:
			b.Fail.write(w)
		default:
			handler(w, r, b)
		}
	}
}

// below handles a request for a template, each of which has the name Template, or for
// a page of an integration's tools.
func (u *Upstream) below(w http.ResponseWriter, r *http.Request, behaviour Behaviour) {
	switch id := r.PathValue("id"); {
	case r.PathValue("parent") == "template":
		template := map[string]any{}
		if behaviour.Placeholder != "" {
			template["base_url"] = "https://<<" + behaviour.Placeholder + ">>.example"
		}
		b, _ := json.Marshal(map[string]any{"id": id, "name": "Template", "language": "en", "template": template})
		respond(w, http.StatusOK, b)
	case id == "tool":
		u.page(w, r, behaviour)
	default:
		http.NotFound(w, r)
	}
}

// pause lets the time pass, whether or not the caller leaves.
func pause(d time.Duration) {
	if d > 0 {
		time.Sleep(d)
	}
}

// add adds what is created to its list.
func (u *Upstream) add(m made) made {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.place)
	m.id, m.at = fmt.Sprintf("%08x-0000-4000-9000-%012x", n, n), time.Now().UTC()
	u.place[m.id] = len(u.lists[m.list()])
	u.lists[m.list()] = append(u.lists[m.list()], m)
	return m
}

func (m made) json() []byte {
	var shown map[string]any
	if m.kind == Tool {
		shown = map[string]any{
			"type": "HTTP", "id": m.id, "name": m.name, "endpoint_path": "/things", "method": "GET", "query": []any{}, "body": []any{},
			"path": []any{}, "headers": map[string]any{}, "timeout": 5, "approval_required": false, "pre_speech": "auto",
		}
	} else {
		shown = map[string]any{
			"id": m.id, "name": m.name, "base_url": "https://crm.example", "auth_type": "NONE", "integration_type": "HTTP",
			// Diga writes times in several forms.
			"created_at": m.at.Format("2006-01-02T15:04:05.999999-07:00"), "updated_at": m.at.Format("2006-01-02T15:04:05.999999"),
			"requires_setup": false,
		}
	}
	if m.kind == Copy {
		shown["source_integration_template_id"] = m.parent
	}
	if m.description != "" {
		shown["description"] = m.description
	}
	b, _ := json.Marshal(shown) // nothing that JSON does not have
	return b
}

func (u *Upstream) get(w http.ResponseWriter, r *http.Request, _ Behaviour) {
	u.mu.Lock()
	var m made
	found := u.find(r.PathValue("parent"), r.PathValue("id"))
	if found != nil {
		m = *found
	}
	u.mu.Unlock()
	if found == nil {
		Failure(http.StatusNotFound, "NOT_FOUND").write(w)
		return
	}
	respond(w, http.StatusOK, m.json())
}

// find returns what is in a list under an id, nil if there is none or it was deleted. The caller holds
// the lock while it uses the result.
func (u *Upstream) find(list, id string) *made {
	n, ok := u.place[id]
	if !ok || n >= len(u.lists[list]) || u.lists[list][n].id != id || !u.lists[list][n].deleted.IsZero() {
		return nil
	}
	return &u.lists[list][n]
}

// page returns a page of a list, the newest first or the oldest first.
func (u *Upstream) page(w http.ResponseWriter, r *http.Request, b Behaviour) {
	limit, err := strconv.Atoi(r.FormValue("limit"))
	order, after := r.FormValue("order"), r.FormValue("after")
	if err != nil || limit < 1 || order != "asc" && order != "desc" {
		Failure(http.StatusUnprocessableEntity, "INVALID_PAGE").write(w)
		return
	}
	page, more, ok := u.cut(r.PathValue("parent"), after, order == "asc", limit, b.DeleteLast)
	if !ok {
		Failure(http.StatusNotFound, "NOT_FOUND").write(w)
		return
	}
	items := make([]string, len(page))
	for i, m := range page {
		items[i] = string(m.json())
	}
	respond(w, http.StatusOK, fmt.Appendf(nil, `{"data":[%s],"has_more":%t}`, strings.Join(items, ","), more))
}

// cut returns the items of a page of a list, and reports whether more follow. It is
// not ok if the item before them is not in the list any more.
func (u *Upstream) cut(name, after string, ascending bool, limit int, deleteLast bool) (page []made, more, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.lists[name]
	next, step := 0, 1
	if !ascending {
		next, step = len(list)-1, -1
	}
	if after != "" {
		if u.find(name, after) == nil {
			return nil, false, false
		}
		next = u.place[after] + step
	}
	for ; next >= 0 && next < len(list); next += step {
		switch {
		case !list[next].deleted.IsZero():
		case len(page) == limit:
			return page, true, true
		default:
			page = append(page, list[next])
			if deleteLast && len(page) == limit {
				list[next].deleted = time.Now()
			}
		}
	}
	return page, false, true
}

func (r *Response) write(w http.ResponseWriter) {
	if r.RetryAfter != "" {
		w.Header().Set("Retry-After", r.RetryAfter)
	}
	respond(w, r.Status, []byte(r.Body))
}

func respond(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may be gone
}
