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

// attemptHeader tells the vendor which attempt of the call it sees; the line
// puts it there.
const attemptHeader = "X-Soak-Attempt"

// largeAnswer is the length of a description in the answer to those who do not
// read it, in bytes.
const largeAnswer = 1 << 20

// vendor stands in for the vendor: it makes a copy for every request that it is
// not scripted to refuse, and keeps the list.
type vendor struct {
	script *script
	addr   string
	server *http.Server
	ended  chan struct{}

	mu     sync.Mutex
	copies []made
}

func newVendor(s *script) (*vendor, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v := &vendor{script: s, addr: ln.Addr().String(), ended: make(chan struct{})}
	v.server = &http.Server{Handler: v, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(v.ended)
		_ = v.server.Serve(ln)
	}()
	return v, nil
}

// close ends the vendor and returns all that it made. What it still had to do
// is done first: what a caller was told has to stay true.
func (v *vendor) close() ([]made, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := v.server.Shutdown(ctx)
	<-v.ended
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.copies, err
}

// create makes a copy for the call and returns the answer that says so.
func (v *vendor) create(call int) []byte {
	v.mu.Lock()
	id := fmt.Sprintf("%08x-0000-4000-9000-%012x", len(v.copies), call)
	v.copies = append(v.copies, made{call, id})
	v.mu.Unlock()
	integration := map[string]any{
		"id": id, "name": callName(call), "base_url": "https://crm.example", "auth_type": "API_KEY",
		"integration_type": "HTTP", "created_at": "2026-01-02T03:04:05.678901+00:00", "updated_at": "2026-01-02T03:04:05",
		"requires_setup": false, "source_integration_template_id": templateID(call),
	}
	if h := v.script.caller(call).habit; h == deafGRPC || h == deafREST {
		integration["description"] = strings.Repeat("long ", largeAnswer/5)
	}
	answer, _ := json.Marshal(integration) // strings and a bool
	return answer
}

// ServeHTTP answers POST /v1/integration/template/{id}/copy.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	f := v.script.attempt(call, attempt)
	w.Header().Set("Content-Type", "application/json")
	switch f.kind {
	case slow:
		time.Sleep(f.wait)
		v.say(w, http.StatusCreated, v.create(call))
	case errorAfter:
		v.create(call)
		v.fail(w, http.StatusInternalServerError, "INTERNAL_SERVER_ERROR")
	case errorBefore:
		v.fail(w, http.StatusInternalServerError, "INTERNAL_SERVER_ERROR")
	case refusal:
		if f.status == http.StatusUnprocessableEntity {
			v.say(w, f.status, []byte(`{"detail":[{"loc":["body","name"],"msg":"no","type":"value_error"}]}`))
			return
		}
		v.fail(w, f.status, "BAD_PARAMETER")
	case storm:
		setRetryAfter(w, f)
		v.fail(w, http.StatusTooManyRequests, "RATE_LIMITED")
	case busy:
		setRetryAfter(w, f)
		v.fail(w, http.StatusServiceUnavailable, "WORKFLOW_SERVICE_UNAVAILABLE")
	case noID:
		v.create(call)
		v.say(w, f.status, []byte([]string{"", "{}", `{"id":null}`, "[]", "<html>done</html>"}[f.cut%5]))
	default:
		v.say(w, http.StatusCreated, v.create(call))
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

func (v *vendor) fail(w http.ResponseWriter, status int, code string) {
	v.say(w, status, fmt.Appendf(nil, `{"status":"error","error_code":%q,"message":"not now"}`, code))
}

func (v *vendor) say(w http.ResponseWriter, status int, body []byte) {
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
