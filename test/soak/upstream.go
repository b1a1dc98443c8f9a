package soak

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/digate/digate/test/rig"
)

// keyHeader and attemptHeader tell the upstream whose request it sees, and which
// attempt; the line puts them there.
const (
	keyHeader     = "X-Soak-Key"
	attemptHeader = "X-Soak-Attempt"
)

// largeResponse is the length of a description, in bytes, in the response to a
// caller that does not read it.
const largeResponse = 1 << 20

// upstream decides what the upstream does with a request that creates something.
func (s *script) upstream(req rig.Request) rig.Behaviour { return s.behaviour(req.Header) }

// behaviour decides what the upstream does with a request, by its header.
func (s *script) behaviour(header http.Header) rig.Behaviour {
	key, wrongKey := strconv.Atoi(header.Get(keyHeader))
	attempt, wrongAttempt := strconv.Atoi(header.Get(attemptHeader))
	if wrongKey != nil || wrongAttempt != nil {
		return rig.Behaviour{Refuse: rig.Failure(http.StatusBadRequest, "NOT_OF_THE_SOAK")}
	}
	f := s.attempt(key, attempt)
	switch f.kind {
	case slow:
		return rig.Behaviour{Before: f.wait, Placeholder: placeholder}
	case errorAfter:
		return rig.Behaviour{Fail: rig.Failure(http.StatusInternalServerError, "INTERNAL_SERVER_ERROR")}
	case errorBefore:
		return rig.Behaviour{Refuse: rig.Failure(http.StatusInternalServerError, "INTERNAL_SERVER_ERROR")}
	case refusal:
		if f.status == http.StatusUnprocessableEntity {
			return rig.Behaviour{Refuse: &rig.Response{Status: f.status, Body: `{"detail":[{"loc":["body","name"],"msg":"no","type":"value_error"}]}`}}
		}
		return rig.Behaviour{Refuse: rig.Failure(f.status, "BAD_PARAMETER")}
	case storm:
		return rig.Behaviour{Refuse: f.delay(rig.Failure(http.StatusTooManyRequests, "RATE_LIMITED"))}
	case busy:
		return rig.Behaviour{Refuse: f.delay(rig.Failure(http.StatusServiceUnavailable, "WORKFLOW_SERVICE_UNAVAILABLE"))}
	case deletesLast:
		return rig.Behaviour{DeleteLast: true, Placeholder: placeholder}
	case noID:
		return rig.Behaviour{Fail: &rig.Response{Status: f.status, Body: []string{"", "{}", `{"id":null}`, "[]", "<html>done</html>"}[f.cut%5]}}
	}
	if h := s.caller(key).habit; h == deafGRPC || h == deafREST {
		return rig.Behaviour{Description: strings.Repeat("long ", largeResponse/5)}
	}
	return rig.Behaviour{Placeholder: placeholder}
}

// delay adds the fault's Retry-After, if it has one, to the response.
func (f fault) delay(resp *rig.Response) *rig.Response {
	switch {
	case f.retryAfter < 0:
	case f.date:
		resp.RetryAfter = time.Now().Add(time.Duration(f.retryAfter) * time.Second).UTC().Format(http.TimeFormat)
	default:
		resp.RetryAfter = strconv.Itoa(f.retryAfter)
	}
	return resp
}

// callName returns the name of what a call or an errand creates, by its key.
func callName(call int) string { return fmt.Sprintf("call-%d", call) }

// callNamed is the inverse of callName.
func callNamed(name string) (call int, ok bool) {
	number, ok := strings.CutPrefix(name, "call-")
	call, err := strconv.Atoi(number)
	return call, ok && err == nil
}

// templateID holds the number of a call, so that the line knows it from the
// first line of a request.
func templateID(call int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", call) }

// keyOf returns the key of a request: in a mix that creates, it is in the token.
func (s *script) keyOf(req request) (int, error) {
	if !s.mix.creates {
		return callOf(req.line)
	}
	return strconv.Atoi(strings.TrimPrefix(req.token, bearerPrefix))
}

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
