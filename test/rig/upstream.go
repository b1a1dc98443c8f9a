package rig

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Upstream stands in for Diga. It creates something for every request to do so,
// unless its script says otherwise, and keeps the list of it. It takes a name any
// number of times, also for tools, so that nothing hides what is created twice. It
// has every template, adds tools to every integration, and renames integrations.
type Upstream struct {
	*HTTPServer

	script func(Request) Behaviour
	reads  func(http.Header) Behaviour

	mu         sync.Mutex
	attempts   map[string]int
	lists      map[string][]made // the tools of an integration by its id, and all integrations by ""
	place      map[string]int    // in its list, by id
	asked      int
	underWay   int
	milestones []milestone
}

// milestone is a number of requests that somebody waits for.
type milestone struct {
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
	m := milestone{n, make(chan struct{})}
	if u.asked >= n {
		close(m.reached)
	} else {
		u.milestones = append(u.milestones, m)
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
	u.milestones = slices.DeleteFunc(u.milestones, func(m milestone) bool {
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
