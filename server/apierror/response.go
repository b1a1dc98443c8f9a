package apierror

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/exchange"
)

// Response is Diga's response to one request.
type Response struct {
	// Status is the HTTP status.
	Status int
	// Header is the response's header.
	Header http.Header
	// Body is the body after content decoding, as far as it was received.
	Body []byte
	// ReadErr says why Body is incomplete. It is nil if Body is complete.
	ReadErr error
}

// FromResponse returns the error for a response from Diga. The status has priority,
// because Diga's error_code may contradict it. A 2xx is passed only if the response has
// no readable result.
//
// write reports whether the request could change something at Diga. redact replaces all
// secrets of the call in a text; it may be nil. It is applied to all texts from the body.
// Only messages, field paths and error codes are taken from the body: never an echoed
// input, and nothing from a body in neither of Diga's formats.
func FromResponse(r Response, write bool, redact func(string) string) *Error {
	if success(r.Status) && r.ReadErr != nil {
		e := ResponseLost(r.ReadErr, write)
		e.HTTPStatus = r.Status
		return e
	}
	content := readBody(r.Body, redactor(redact))
	v := judge(r.Status, content.shape == shapeEnvelope, write)
	e := &Error{
		Code: v.code, Reason: v.reason, Domain: DomainDigate, Outcome: v.outcome,
		HTTPStatus: r.Status, cause: r.ReadErr,
	}
	if r.Status < 0 || r.Status > maxHTTPStatus {
		e.HTTPStatus = 0
	}
	if v.retry {
		wait, named := retryAfter(r.Header)
		e.RetryAfter = new(wait)
		e.invited = named && v.outcome == exchange.Rejected
	}
	switch {
	case !v.verdict:
		e.Message = fmt.Sprintf("Diga responded %s without a readable result%s", statusName(r.Status), doubt(write))
		if content.message != "" {
			e.Message += ": " + content.message
		}
	case content.shape != shapeNone:
		e.Domain = DomainDiga
		e.Message = content.message
		e.Violations = content.violations
		if content.code != "" {
			e.Reason = content.code
		}
		e.relayable = r.Status >= 400 && r.ReadErr == nil && !content.mended && utf8.Valid(r.Body)
	}
	if e.Message == "" {
		e.Message = fmt.Sprintf("Diga responded %s with %s", statusName(r.Status), describe(r, content.shape))
		if v.outcome == exchange.Unknown {
			e.Message += doubt(write)
		}
	}
	e.fitMore(content.more)
	return e
}

// maxHTTPStatus is the largest HTTP status.
const maxHTTPStatus = 999

// verdict is the meaning of a status.
type verdict struct {
	code    codes.Code
	reason  string // used if Diga's response has no valid one
	outcome exchange.Outcome
	retry   bool // a retry is invited
	verdict bool // the response is Diga's decision, so its body counts
}

// clientClosedRequest is nginx's status for a request whose client has disconnected.
const clientClosedRequest = 499

// judge returns the meaning of a status. envelope reports whether the body has Diga's
// envelope: Diga's own 503 means that nothing was done, a proxy's does not. A redirect of
// a write may name the location of a created resource (RFC 9110, 15.4.4); only 307 and
// 308 mean that the write was not performed. A proxy may send 408 and 499 after it has
// passed the request on.
func judge(status int, envelope, write bool) verdict {
	rejected := func(code codes.Code, reason string) verdict {
		return verdict{code: code, reason: reason, outcome: exchange.Rejected, verdict: true}
	}
	switch {
	case status < 300 || status > 599:
		return verdict{code: codes.Unknown, reason: ReasonInvalidResponse, outcome: exchange.Unknown}
	case write && status < 400 && status != http.StatusTemporaryRedirect && status != http.StatusPermanentRedirect,
		write && !envelope && (status == http.StatusRequestTimeout || status == clientClosedRequest):
		return verdict{code: codes.Unknown, reason: ReasonUnexpected, outcome: exchange.Unknown, verdict: true}
	case status < 400:
		return rejected(codes.Internal, ReasonUnexpected)
	case status == 400 || status == 422:
		return rejected(codes.InvalidArgument, ReasonInvalidRequest)
	case status == 401:
		return rejected(codes.Unauthenticated, ReasonUnexpected)
	case status == 403:
		return rejected(codes.PermissionDenied, ReasonUnexpected)
	case status == 404 || status == 410:
		return rejected(codes.NotFound, ReasonUnexpected)
	case status == 409:
		return rejected(codes.AlreadyExists, ReasonUnexpected)
	case status == 429:
		v := rejected(codes.ResourceExhausted, ReasonRateLimited)
		v.retry = true
		return v
	case status < 500: // including 412
		return rejected(codes.FailedPrecondition, ReasonUnexpected)
	case status == 500:
		return verdict{code: codes.Internal, reason: ReasonUpstreamError, outcome: exchange.Unknown, verdict: true}
	case status == 503 && envelope:
		v := rejected(codes.Unavailable, ReasonUnexpected)
		v.retry = true
		return v
	case write:
		return verdict{code: codes.Unknown, reason: ReasonGateway, outcome: exchange.Unknown, verdict: true}
	default:
		return verdict{code: codes.Unavailable, reason: ReasonGateway, outcome: exchange.Unknown, retry: true, verdict: true}
	}
}

func success(status int) bool { return status >= 200 && status <= 299 }

// statusName returns a status with its name, such as "502 Bad Gateway".
func statusName(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return strconv.Itoa(status)
}

// describe returns a description of a body whose own message cannot be used.
func describe(r Response, shape bodyShape) string {
	body := bytes.TrimSpace(r.Body)
	switch {
	case shape != shapeNone:
		return "an error without a message"
	case r.ReadErr != nil:
		return "a body that could not be read"
	case len(body) == 0:
		return "an empty body"
	case body[0] == '<':
		return "an HTML page"
	default:
		return "a body that is not one of its errors"
	}
}
