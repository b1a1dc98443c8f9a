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
	// ReadErr says why Body is not complete; nil if it is.
	ReadErr error
}

// FromResponse returns the error that Diga's response means. The status decides
// first, because Diga's error_code may contradict it. A 2xx is passed in only if
// the response has no readable result.
//
// write reports whether the request could change something at Diga. redact replaces
// every secret of the call in a text; nil replaces nothing. It is applied to all
// texts from the body. Only messages, field paths and error codes are taken from
// the body: never an echoed input, and nothing from a body in neither of Diga's
// shapes.
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

// maxHTTPStatus is the largest status that HTTP can write.
const maxHTTPStatus = 999

// verdict is what a status means.
type verdict struct {
	code    codes.Code
	reason  string // used if Diga gives none that fits
	outcome exchange.Outcome
	retry   bool // a retry is invited
	verdict bool // Diga decided, so its body counts
}

// clientClosedRequest is the status of nginx for a request whose client left.
const clientClosedRequest = 499

// judge returns the meaning of a status. envelope reports whether the body is in
// Diga's envelope: Diga's own 503 means that nothing was done, a proxy's does not. A
// redirect of a write may say where that is which was created (RFC 9110, 15.4.4);
// only 307 and 308 say that it was not carried out. A proxy's 408 and 499 may come
// after the request was passed on.
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
	case status < 500: // 412 among them
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

// describe returns words for a body whose own message cannot be used.
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
