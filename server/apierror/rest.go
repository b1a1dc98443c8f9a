package apierror

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/exchange"
)

// OutcomeHeader is the REST header with the outcome.
const OutcomeHeader = "Digate-Outcome"

// statusClientClosed is the status of a response whose caller has disconnected.
const statusClientClosed = 499

// RESTResponse is an error as a REST response.
type RESTResponse struct {
	// Status is the HTTP status.
	Status int
	// Header is the response's header. It also fits Diga's own body.
	Header http.Header
	// Body is JSON in one of Diga's error formats.
	Body []byte
}

// REST returns the error in Diga's format: refused fields as a `detail` list, and
// anything else in the envelope. locate returns which part of a REST request a field is
// in (path, query or body), which depends on the route. Nil means body.
func (e *Error) REST(locate func(field string) string) RESTResponse {
	r := RESTResponse{Status: e.restStatus(), Header: make(http.Header)}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(OutcomeHeader, e.outcome().String())
	if e.RetryAfter != nil {
		seconds := (*e.RetryAfter + time.Second - 1) / time.Second
		r.Header.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if r.Status == http.StatusUnauthorized {
		r.Header.Set("WWW-Authenticate", "Bearer")
	}
	if len(e.Violations) > 0 {
		r.Body = render(detailBody{Detail: e.detail(locate)})
	} else {
		r.Body = render(envelopeBody{Status: "error", ErrorCode: e.Reason, Message: e.Message})
	}
	return r
}

type envelopeBody struct {
	Status    string `json:"status"`
	ErrorCode string `json:"error_code"`
	Message   string `json:"message"`
}

type detailBody struct {
	Detail []detailEntry `json:"detail"`
}

type detailEntry struct {
	Type string `json:"type"`
	Loc  []any  `json:"loc"`
	Msg  string `json:"msg"`
}

// restStatus returns Diga's status if Diga responded with an error, and otherwise the
// HTTP status for digate's conclusion.
func (e *Error) restStatus() int {
	if e.HTTPStatus >= 400 && e.HTTPStatus <= 599 {
		return e.HTTPStatus
	}
	if e.Domain == DomainDigate {
		switch e.Reason {
		case ReasonRequestTooLarge:
			return http.StatusRequestEntityTooLarge
		case ReasonMethodNotAllowed:
			return http.StatusMethodNotAllowed
		case ReasonUnsupportedMediaType:
			return http.StatusUnsupportedMediaType
		}
	}
	switch e.Code {
	case codes.InvalidArgument, codes.OutOfRange:
		return http.StatusUnprocessableEntity
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.NotFound:
		return http.StatusNotFound
	case codes.AlreadyExists, codes.Aborted:
		return http.StatusConflict
	case codes.FailedPrecondition:
		return http.StatusPreconditionFailed
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Canceled:
		return statusClientClosed
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	case codes.Unimplemented:
		return http.StatusNotImplemented
	case codes.Unavailable:
		if e.outcome() == exchange.Unknown {
			return http.StatusBadGateway
		}
		return http.StatusServiceUnavailable
	case codes.Unknown:
		return http.StatusBadGateway
	}
	if e.HTTPStatus != 0 { // Diga's response was neither a result nor an error
		return http.StatusBadGateway
	}
	return http.StatusInternalServerError
}

func (e *Error) detail(locate func(string) string) []detailEntry {
	entries := make([]detailEntry, 0, len(e.Violations))
	for _, v := range e.Violations {
		kind := strings.ToLower(v.Reason)
		if kind == "" {
			kind = "value_error"
		}
		entries = append(entries, detailEntry{Type: kind, Loc: locOf(v, locate), Msg: v.Description})
	}
	return entries
}

// locOf returns the loc of a violation, with the location first. It is the inverse of
// readLoc.
func locOf(v Violation, locate func(string) string) []any {
	loc := v.Path
	if loc == nil {
		loc = splitPath(v.Field)
		if isWholeBody(loc) {
			return loc
		}
	}
	location := "body"
	if locate != nil && v.Field != "" {
		location = locate(v.Field)
	}
	return append([]any{location}, loc...)
}

// isWholeBody reports whether a path is that of the whole body or of a byte in it, and
// not of a field named body.
func isWholeBody(path []any) bool {
	if len(path) == 0 || len(path) > 2 || path[0] != "body" {
		return false
	}
	if len(path) == 1 {
		return true
	}
	_, position := path[1].(int)
	return position
}

// splitPath splits `variables.a[2]` into "variables", "a" and 2.
func splitPath(path string) []any {
	var elements []any
	for part := range strings.SplitSeq(path, ".") {
		name, indexes := part, []any(nil)
		for {
			open := strings.LastIndexByte(name, '[')
			if open < 0 || !strings.HasSuffix(name, "]") {
				break
			}
			index, err := strconv.ParseUint(name[open+1:len(name)-1], 10, 32)
			if err != nil {
				break
			}
			name, indexes = name[:open], append([]any{int(index)}, indexes...)
		}
		if name != "" {
			elements = append(elements, name)
		}
		elements = append(elements, indexes...)
	}
	return elements
}

// render returns JSON as Diga's framework writes it: compact, without unnecessary
// escapes.
func render(body any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // strings and integers always encode
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
