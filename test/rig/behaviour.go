package rig

import (
	"fmt"
	"net/http"
	"strconv"
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

// pause lets the time pass, whether or not the caller leaves.
func pause(d time.Duration) {
	if d > 0 {
		time.Sleep(d)
	}
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
