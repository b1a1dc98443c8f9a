package clients

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

const (
	templateID    = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	integrationID = "7f0e6f7e-3b1c-4d57-9f5e-0d3a1f0b9c11"
)

// upstream stands in for Diga. It responds to every request as its script says.
type upstream struct {
	*httptest.Server
	requests atomic.Int64
}

// script responds to the n-th request, counted from 1, whose body was read.
type script func(w http.ResponseWriter, r *http.Request, n int)

func newUpstream(t *testing.T, s script) *upstream {
	t.Helper()
	u := new(upstream)
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		s(w, r, int(u.requests.Add(1)))
	}))
	t.Cleanup(u.Close)
	return u
}

// respond writes a response of Diga's.
func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller may be gone
}

// busy writes the response of a Diga that asks to come back after some seconds.
func busy(w http.ResponseWriter, seconds string) {
	w.Header().Set("Retry-After", seconds)
	respond(w, http.StatusServiceUnavailable, map[string]any{"status": "error", "error_code": "BUSY", "message": "busy"})
}

// template writes a template, and integration an integration.
func template(w http.ResponseWriter) {
	respond(w, http.StatusOK, map[string]any{"id": templateID, "name": "n", "description": "d"})
}

func integration(w http.ResponseWriter, description string) {
	respond(w, http.StatusCreated, map[string]any{
		"id": integrationID, "name": "n", "base_url": "https://crm.example", "auth_type": "NONE", "integration_type": "HTTP",
		"created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z", "requires_setup": false, "description": description,
	})
}
