package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Behaviour is how the upstream handles one request for a copy.
type Behaviour struct {
	// Before is the time until the copy is made, and After the time from then until
	// the response.
	Before, After time.Duration
	// Attentive means that a caller who leaves before the copy is made gets none.
	Attentive bool
	// Refuse is the status of the response that stands in for the copy, 0 for none.
	Refuse int
	// Fail is the status of a response that hides a copy that was made, 0 for none.
	Fail int
}

// Upstream stands in for Diga. It makes a copy for every request unless its script
// says otherwise, and keeps the list of them.
type Upstream struct {
	script func(name string, attempt int) Behaviour
	server *http.Server
	url    string
	ended  chan struct{}

	mu       sync.Mutex
	attempts map[string]int
	list     []made
	place    map[string]int // in the list, by id
	asked    int
	marks    []mark
}

type made struct {
	id, name, template string
	at                 time.Time
}

type mark struct {
	at      int
	reached chan struct{}
}

// NewUpstream starts an upstream on a loopback port. The script decides on each
// request for a copy, by the name in it and the number of earlier requests with
// that name. A nil script makes every copy at once.
func NewUpstream(script func(name string, attempt int) Behaviour) (*Upstream, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &Upstream{
		script: script, url: "http://" + ln.Addr().String(), ended: make(chan struct{}),
		attempts: make(map[string]int), place: make(map[string]int),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/integration/template/{template}/copy", u.copy)
	mux.HandleFunc("GET /v1/integration/{id}", u.get)
	mux.HandleFunc("GET /v1/integration", u.page)
	u.server = &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(u.ended)
		_ = u.server.Serve(ln)
	}()
	return u, nil
}

// URL returns the base URL.
func (u *Upstream) URL() string { return u.url }

// Close ends the upstream when the requests under way are done.
func (u *Upstream) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := u.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, u.server.Close())
	}
	<-u.ended
	return err
}

// Made returns the ids of the copies made, by name.
func (u *Upstream) Made() map[string][]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	by := make(map[string][]string)
	for _, m := range u.list {
		by[m.name] = append(by[m.name], m.id)
	}
	return by
}

// Asked returns how many requests for a copy have come.
func (u *Upstream) Asked() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked
}

// Reached returns a channel that is closed when n requests for a copy have come.
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

// begin counts a request and returns how to handle it.
func (u *Upstream) begin(name string) Behaviour {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked++
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
	n := u.attempts[name]
	u.attempts[name] = n + 1
	return u.script(name, n)
}

func (u *Upstream) copy(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Name string `json:"name"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &req)
	}
	if err != nil {
		return // the request was cut
	}
	b := u.begin(req.Name)
	if b.Refuse != 0 {
		fail(w, b.Refuse)
		return
	}
	pause(b.Before)
	if b.Attentive && r.Context().Err() != nil {
		return
	}
	m := u.make(req.Name, r.PathValue("template"))
	pause(b.After)
	if b.Fail != 0 {
		fail(w, b.Fail)
		return
	}
	respond(w, http.StatusCreated, m.json())
}

// pause lets the time pass, whether or not the caller leaves.
func pause(d time.Duration) {
	if d > 0 {
		time.Sleep(d)
	}
}

func (u *Upstream) make(name, template string) made {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.list)
	m := made{fmt.Sprintf("%08x-0000-4000-9000-%012x", n, n), name, template, time.Now()}
	u.list = append(u.list, m)
	u.place[m.id] = n
	return m
}

func (m made) json() []byte {
	at := m.at.UTC().Format(time.RFC3339Nano)
	b, _ := json.Marshal(map[string]any{ // strings and a bool
		"id": m.id, "name": m.name, "base_url": "https://crm.example", "auth_type": "NONE", "integration_type": "HTTP",
		"created_at": at, "updated_at": at, "requires_setup": false, "source_integration_template_id": m.template,
	})
	return b
}

func (u *Upstream) get(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	n, ok := u.place[r.PathValue("id")]
	var m made
	if ok {
		m = u.list[n]
	}
	u.mu.Unlock()
	if !ok {
		fail(w, http.StatusNotFound)
		return
	}
	respond(w, http.StatusOK, m.json())
}

// page returns a page of the list, the newest first.
func (u *Upstream) page(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.FormValue("limit"))
	if err != nil || r.FormValue("order") != "desc" {
		fail(w, http.StatusUnprocessableEntity)
		return
	}
	u.mu.Lock()
	from := len(u.list) // the first that is left out
	if after := r.FormValue("after"); after != "" {
		from = u.place[after]
	}
	page := slices.Clone(u.list[max(0, from-limit):from])
	u.mu.Unlock()
	slices.Reverse(page)
	items := make([]string, len(page))
	for i, m := range page {
		items[i] = string(m.json())
	}
	respond(w, http.StatusOK, fmt.Appendf(nil, `{"data":[%s],"has_more":%t}`, strings.Join(items, ","), from > limit))
}

func fail(w http.ResponseWriter, status int) {
	respond(w, status, []byte(`{"status":"error","error_code":"NOT_NOW","message":"not now"}`))
}

func respond(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may be gone
}
