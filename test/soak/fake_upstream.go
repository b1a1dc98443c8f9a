package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// attemptHeader tells the upstream which attempt of the call it sees; the line
// puts it there.
const attemptHeader = "X-Soak-Attempt"

// largeResponse is the length of a description, in bytes, in the response to a
// caller that does not read it.
const largeResponse = 1 << 20

// fakeUpstream stands in for Diga. It makes a copy for every request that the
// script does not refuse, and keeps the list.
type fakeUpstream struct {
	script *script
	addr   string
	server *http.Server
	ended  chan struct{}

	mu     sync.Mutex
	copies []made
}

func newFakeUpstream(s *script) (*fakeUpstream, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &fakeUpstream{script: s, addr: ln.Addr().String(), ended: make(chan struct{})}
	u.server = &http.Server{Handler: u, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(u.ended)
		_ = u.server.Serve(ln)
	}()
	return u, nil
}

// close ends the upstream and returns all copies that it made. Requests under way
// are done first, so that no response becomes untrue.
func (u *fakeUpstream) close() ([]made, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := u.server.Shutdown(ctx)
	<-u.ended
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.copies, err
}

// create makes a copy for the call and returns its response.
func (u *fakeUpstream) create(call int) []byte {
	u.mu.Lock()
	id := fmt.Sprintf("%08x-0000-4000-9000-%012x", len(u.copies), call)
	u.copies = append(u.copies, made{call, id})
	u.mu.Unlock()
	integration := map[string]any{
		"id": id, "name": callName(call), "base_url": "https://crm.example", "auth_type": "API_KEY",
		"integration_type": "HTTP", "created_at": "2026-01-02T03:04:05.678901+00:00", "updated_at": "2026-01-02T03:04:05",
		"requires_setup": false, "source_integration_template_id": templateID(call),
	}
	if h := u.script.caller(call).habit; h == deafGRPC || h == deafREST {
		integration["description"] = strings.Repeat("long ", largeResponse/5)
	}
	response, _ := json.Marshal(integration) // strings and a bool
	return response
}

// ServeHTTP serves POST /v1/integration/template/{id}/copy.
func (u *fakeUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Name string `json:"name"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &req)
	}
	number, isCall := strings.CutPrefix(req.Name, "call-")
	call, numErr := strconv.Atoi(number)
	attempt, attemptErr := strconv.Atoi(r.Header.Get(attemptHeader))
	if err := errors.Join(err, numErr, attemptErr); err != nil || !isCall {
		return // the request was cut
	}
	f := u.script.attempt(call, attempt)
	w.Header().Set("Content-Type", "application/json")
	switch f.kind {
	case slow:
		time.Sleep(f.wait)
		u.say(w, http.StatusCreated, u.create(call))
	case errorAfter:
		u.create(call)
		u.fail(w, http.StatusInternalServerError, "INTERNAL_SERVER_ERROR")
	case errorBefore:
		u.fail(w, http.StatusInternalServerError, "INTERNAL_SERVER_ERROR")
	case refusal:
		if f.status == http.StatusUnprocessableEntity {
			u.say(w, f.status, []byte(`{"detail":[{"loc":["body","name"],"msg":"no","type":"value_error"}]}`))
			return
		}
		u.fail(w, f.status, "BAD_PARAMETER")
	case storm:
		setRetryAfter(w, f)
		u.fail(w, http.StatusTooManyRequests, "RATE_LIMITED")
	case busy:
		setRetryAfter(w, f)
		u.fail(w, http.StatusServiceUnavailable, "WORKFLOW_SERVICE_UNAVAILABLE")
	case noID:
		u.create(call)
		u.say(w, f.status, []byte([]string{"", "{}", `{"id":null}`, "[]", "<html>done</html>"}[f.cut%5]))
	default:
		u.say(w, http.StatusCreated, u.create(call))
	}
}

func setRetryAfter(w http.ResponseWriter, f fault) {
	switch {
	case f.retryAfter < 0:
	case f.date:
		w.Header().Set("Retry-After", time.Now().Add(time.Duration(f.retryAfter)*time.Second).UTC().Format(http.TimeFormat))
	default:
		w.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
}

func (u *fakeUpstream) fail(w http.ResponseWriter, status int, code string) {
	u.say(w, status, fmt.Appendf(nil, `{"status":"error","error_code":%q,"message":"not now"}`, code))
}

func (u *fakeUpstream) say(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the line may be gone
}

// templateID holds the number of a call, so that the line knows it from the
// first line of a request.
func templateID(call int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", call) }

// callOf is the inverse of templateID, given the path of a copy.
func callOf(path string) (int, error) {
	_, rest, _ := strings.Cut(path, "/v1/integration/template/00000000-0000-4000-8000-")
	hex, _, ok := strings.Cut(rest, "/copy")
	if !ok {
		return 0, fmt.Errorf("%q is not the path of a copy", path)
	}
	call, err := strconv.ParseInt(hex, 16, 64)
	return int(call), err
}
