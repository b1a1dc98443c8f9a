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

// Behaviour is what the vendor does about one request for a copy.
type Behaviour struct {
	// Before and After are how long it takes until it makes the copy, and from
	// then until it answers.
	Before, After time.Duration
	// Attentive: it makes no copy for a caller who left before that.
	Attentive bool
	// Refuse is the status that it answers with instead of making a copy.
	Refuse int
	// Fail is the status that it answers with though it made the copy.
	Fail int
}

// Vendor stands in for the vendor. It makes a copy for every request that its
// script does not say otherwise of, and keeps the list.
type Vendor struct {
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

// NewVendor starts one on a loopback port. The script is asked for each request
// for a copy, with the name in it and how many there were for that name before;
// nil makes every copy at once.
func NewVendor(script func(name string, attempt int) Behaviour) (*Vendor, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v := &Vendor{
		script: script, url: "http://" + ln.Addr().String(), ended: make(chan struct{}),
		attempts: make(map[string]int), place: make(map[string]int),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/integration/template/{template}/copy", v.copy)
	mux.HandleFunc("GET /v1/integration/{id}", v.get)
	mux.HandleFunc("GET /v1/integration", v.page)
	v.server = &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(v.ended)
		_ = v.server.Serve(ln)
	}()
	return v, nil
}

// URL is its base URL.
func (v *Vendor) URL() string { return v.url }

// Close ends it, once it has done what it is at.
func (v *Vendor) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := v.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, v.server.Close())
	}
	<-v.ended
	return err
}

// Made is what it made: ids by name.
func (v *Vendor) Made() map[string][]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	by := make(map[string][]string)
	for _, m := range v.list {
		by[m.name] = append(by[m.name], m.id)
	}
	return by
}

// Asked is how many requests for a copy have come.
func (v *Vendor) Asked() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked
}

// Reached returns a channel that is closed when so many requests for a copy have
// come.
func (v *Vendor) Reached(n int) <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := mark{n, make(chan struct{})}
	if v.asked >= n {
		close(m.reached)
	} else {
		v.marks = append(v.marks, m)
	}
	return m.reached
}

// begin counts a request and says what is to be done about it.
func (v *Vendor) begin(name string) Behaviour {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	v.marks = slices.DeleteFunc(v.marks, func(m mark) bool {
		if m.at > v.asked {
			return false
		}
		close(m.reached)
		return true
	})
	if v.script == nil {
		return Behaviour{}
	}
	n := v.attempts[name]
	v.attempts[name] = n + 1
	return v.script(name, n)
}

func (v *Vendor) copy(w http.ResponseWriter, r *http.Request) {
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
	b := v.begin(req.Name)
	if b.Refuse != 0 {
		fail(w, b.Refuse)
		return
	}
	pause(b.Before)
	if b.Attentive && r.Context().Err() != nil {
		return
	}
	m := v.make(req.Name, r.PathValue("template"))
	pause(b.After)
	if b.Fail != 0 {
		fail(w, b.Fail)
		return
	}
	say(w, http.StatusCreated, m.json())
}

// pause is how long the vendor takes. It goes on though its caller has left.
func pause(d time.Duration) {
	if d > 0 {
		time.Sleep(d)
	}
}

func (v *Vendor) make(name, template string) made {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := len(v.list)
	m := made{fmt.Sprintf("%08x-0000-4000-9000-%012x", n, n), name, template, time.Now()}
	v.list = append(v.list, m)
	v.place[m.id] = n
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

func (v *Vendor) get(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	n, ok := v.place[r.PathValue("id")]
	var m made
	if ok {
		m = v.list[n]
	}
	v.mu.Unlock()
	if !ok {
		fail(w, http.StatusNotFound)
		return
	}
	say(w, http.StatusOK, m.json())
}

// page answers with what is in the list, the newest first.
func (v *Vendor) page(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.FormValue("limit"))
	if err != nil || r.FormValue("order") != "desc" {
		fail(w, http.StatusUnprocessableEntity)
		return
	}
	v.mu.Lock()
	from := len(v.list) // the first that is left out
	if after := r.FormValue("after"); after != "" {
		from = v.place[after]
	}
	page := slices.Clone(v.list[max(0, from-limit):from])
	v.mu.Unlock()
	slices.Reverse(page)
	items := make([]string, len(page))
	for i, m := range page {
		items[i] = string(m.json())
	}
	say(w, http.StatusOK, fmt.Appendf(nil, `{"data":[%s],"has_more":%t}`, strings.Join(items, ","), from > limit))
}

func fail(w http.ResponseWriter, status int) {
	say(w, status, []byte(`{"status":"error","error_code":"NOT_NOW","message":"not now"}`))
}

func say(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may be gone
}
