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

// Request is a request for a copy, as the upstream sees it.
type Request struct {
	// Name and Template are those of the copy.
	Name, Template string
	// Earlier is the number of earlier requests with that name.
	Earlier int
	Header  http.Header
}

// Behaviour is how the upstream handles one request for a copy.
type Behaviour struct {
	// Before is the time until the copy is made, and After the time from then until
	// the response.
	Before, After time.Duration
	// Attentive means that a caller who leaves before the copy is made gets none.
	Attentive bool
	// Refuse, if set, is the response of an upstream that makes no copy.
	Refuse *Response
	// Fail, if set, is the response that hides a copy that was made.
	Fail *Response
	// Description is that of the copy.
	Description string
}

// Response is a response of the upstream other than a copy.
type Response struct {
	Status     int
	RetryAfter string // empty for none
	Body       string
}

// Failure returns a response in Diga's envelope.
func Failure(status int, code string) *Response {
	return &Response{Status: status, Body: fmt.Sprintf(`{"status":"error","error_code":%q,"message":"not now"}`, code)}
}

// Upstream stands in for Diga. It makes a copy for every request unless its script
// says otherwise, and keeps the list of them.
type Upstream struct {
	*HTTPServer

	script func(Request) Behaviour

	mu       sync.Mutex
	attempts map[string]int
	list     []made
	place    map[string]int // in the list, by id
	asked    int
	marks    []mark
}

type made struct {
	id, name, template, description string
	at                              time.Time
}

type mark struct {
	at      int
	reached chan struct{}
}

// NewUpstream starts an upstream. The script decides on each request for a copy. A
// nil script makes every copy at once.
func NewUpstream(script func(Request) Behaviour) (*Upstream, error) {
	u := &Upstream{script: script, attempts: make(map[string]int), place: make(map[string]int)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/integration/template/{template}/copy", u.copy)
	mux.HandleFunc("GET /v1/integration/{id}", u.get)
	mux.HandleFunc("GET /v1/integration", u.page)
	var err error
	u.HTTPServer, err = NewHTTPServer(mux)
	return u, err
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
func (u *Upstream) begin(req Request) Behaviour {
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
	req.Earlier = u.attempts[req.Name]
	u.attempts[req.Name]++
	return u.script(req)
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
	template := r.PathValue("template")
	b := u.begin(Request{Name: req.Name, Template: template, Header: r.Header})
	if b.Refuse != nil {
		b.Refuse.write(w)
		return
	}
	pause(b.Before)
	if b.Attentive && r.Context().Err() != nil {
		return
	}
	m := u.make(made{name: req.Name, template: template, description: b.Description})
	pause(b.After)
	if b.Fail != nil {
		b.Fail.write(w)
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

// make adds a copy to the list.
func (u *Upstream) make(m made) made {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.list)
	m.id, m.at = fmt.Sprintf("%08x-0000-4000-9000-%012x", n, n), time.Now().UTC()
	u.list = append(u.list, m)
	u.place[m.id] = n
	return m
}

func (m made) json() []byte {
	integration := map[string]any{
		"id": m.id, "name": m.name, "base_url": "https://crm.example", "auth_type": "NONE", "integration_type": "HTTP",
		// Diga writes times in several forms.
		"created_at": m.at.Format("2006-01-02T15:04:05.999999-07:00"), "updated_at": m.at.Format("2006-01-02T15:04:05.999999"),
		"requires_setup": false, "source_integration_template_id": m.template,
	}
	if m.description != "" {
		integration["description"] = m.description
	}
	b, _ := json.Marshal(integration) // strings and a bool
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
		Failure(http.StatusNotFound, "NOT_FOUND").write(w)
		return
	}
	respond(w, http.StatusOK, m.json())
}

// page returns a page of the list, the newest first.
func (u *Upstream) page(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.FormValue("limit"))
	if err != nil || r.FormValue("order") != "desc" {
		Failure(http.StatusUnprocessableEntity, "INVALID_PAGE").write(w)
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
