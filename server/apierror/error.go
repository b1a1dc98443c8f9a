// Package apierror is digate's one error model. A failure, whether Diga
// responded with it or digate concluded it, is an [Error]; an Error becomes a
// gRPC status ([Error.GRPCStatus]) or a REST response in Diga's shapes
// ([Error.REST]), and a status becomes an Error again ([FromStatus]).
//
// Every failure says what the caller may conclude about Diga's side: its
// outcome. The outcome decides the gRPC code as well, because generic clients repeat
// UNAVAILABLE by themselves: a write that may have been carried out never has
// that code, and never carries a RetryInfo.
package apierror

import (
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/exchange"
)

// The domain of a reason names the side that stated it.
const (
	// DomainDiga is the domain of a reason from Diga's response, whose body was in
	// one of its two error shapes.
	DomainDiga = "diga.io"
	// DomainDigate is the domain of a reason that digate concluded.
	DomainDigate = "digate"
)

// The reasons that digate gives by itself. Diga's own reason is the error_code of
// its response.
const (
	ReasonInvalidRequest    = "INVALID_REQUEST"
	ReasonMissingCredential = "MISSING_CREDENTIAL"
	// ReasonInvalidCredential: a token or a certificate proves no caller.
	ReasonInvalidCredential = "INVALID_CREDENTIAL"
	// ReasonCredentialExpired: what a stream was authenticated with has ended.
	ReasonCredentialExpired = "CREDENTIAL_EXPIRED"
	// ReasonAuthenticationUnavailable: the keys that tokens are verified with are not
	// there.
	ReasonAuthenticationUnavailable = "AUTHENTICATION_UNAVAILABLE"
	// ReasonAccountRequired: the caller has several accounts and named none.
	ReasonAccountRequired = "ACCOUNT_REQUIRED"
	// ReasonNotAllowed: the file of accounts does not allow it.
	ReasonNotAllowed = "NOT_ALLOWED"
	// ReasonQuotaExceeded: a quota in the file of accounts is used up.
	ReasonQuotaExceeded    = "QUOTA_EXCEEDED"
	ReasonRequestTooLarge  = "REQUEST_TOO_LARGE"
	ReasonRouteNotFound    = "ROUTE_NOT_FOUND"
	ReasonMethodNotAllowed = "METHOD_NOT_ALLOWED"
	// ReasonTLSRequired: a REST request came without TLS to a port that speaks it.
	ReasonTLSRequired   = "TLS_REQUIRED"
	ReasonUnknownMethod = "UNKNOWN_METHOD"
	// ReasonUnsupportedEncoding: a gRPC message is compressed otherwise than by gzip.
	ReasonUnsupportedEncoding = "UNSUPPORTED_ENCODING"
	// ReasonUnsupportedMediaType: the content type of a request is not that of a call of the method.
	ReasonUnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
	// ReasonHTTP2Required: both sides of a method stream, and the request came over HTTP/1.1.
	ReasonHTTP2Required = "HTTP2_REQUIRED"
	ReasonInternalError = "INTERNAL_ERROR"
	// ReasonUnreachable: no connection was made.
	ReasonUnreachable = "UPSTREAM_UNREACHABLE"
	// ReasonCircuitOpen: Diga failed so often that it is left alone for a
	// while.
	ReasonCircuitOpen = "UPSTREAM_CIRCUIT_OPEN"
	// ReasonOverloaded: as many calls as allowed are under way and waiting.
	ReasonOverloaded = "OVERLOADED"
	// ReasonResponseTooLarge: Diga's response is larger than a gRPC caller takes.
	ReasonResponseTooLarge = "RESPONSE_TOO_LARGE"
	// ReasonTooManyStreams: as many streams as allowed wait for their callers.
	ReasonTooManyStreams = "TOO_MANY_STREAMS"
	// ReasonAuditUnavailable: the audit log cannot be written, and no write is sent without it.
	ReasonAuditUnavailable = "AUDIT_UNAVAILABLE"
	// ReasonLedgerUnavailable: the ledger cannot say whether the call was made before.
	ReasonLedgerUnavailable = "LEDGER_UNAVAILABLE"
	// ReasonLedgerShareExceeded: the caller has its share of the ledger's records.
	ReasonLedgerShareExceeded = "LEDGER_SHARE_EXCEEDED"
	// ReasonAlreadyCreated: an earlier call with the request id created a resource,
	// which cannot be read.
	ReasonAlreadyCreated = "ALREADY_CREATED"
	// ReasonNoRecord: the ledger has no record of a call.
	ReasonNoRecord = "RECORD_NOT_FOUND"
	// ReasonNotResolvable: the call is not in doubt, or cannot have had the stated
	// outcome.
	ReasonNotResolvable = "RECORD_NOT_RESOLVABLE"
	// ReasonStalled: neither side of a stream moved.
	ReasonStalled = "STALLED"
	// ReasonDraining: the stream ends because the server stops.
	ReasonDraining = "DRAINING"
	// ReasonDeadlineBeforeSend: too little time was left to begin.
	ReasonDeadlineBeforeSend = "DEADLINE_BEFORE_SEND"
	// ReasonCancelledBeforeSend: the caller left before anything was sent.
	ReasonCancelledBeforeSend = "CANCELLED_BEFORE_SEND"
	// ReasonOutcomeUnknown: the request was sent and no verdict came back.
	ReasonOutcomeUnknown = "OUTCOME_UNKNOWN"
	// ReasonInvalidResponse: the response is not a verdict.
	ReasonInvalidResponse = "UPSTREAM_INVALID_RESPONSE"
	// ReasonRateLimited: 429 with no error_code.
	ReasonRateLimited = "RATE_LIMITED"
	// ReasonUpstreamError: 500 with no error_code.
	ReasonUpstreamError = "UPSTREAM_ERROR"
	// ReasonGateway: any other 5xx with no error_code; a proxy probably
	// sent it.
	ReasonGateway = "UPSTREAM_GATEWAY"
	// ReasonUnexpected: a refusal with no error_code, outside Diga's
	// contract.
	ReasonUnexpected = "UPSTREAM_UNEXPECTED"
)

// Error is a failure of one call. The exported fields are its public half, which
// every protocol shows to the caller; they hold no secret and must not be changed
// once the Error was returned. The cause is its private half.
type Error struct {
	// Code is the gRPC code.
	Code codes.Code
	// Reason is a constant name of the failure, unique within Domain.
	Reason string
	// Domain is [DomainDiga] or [DomainDigate].
	Domain string
	// Outcome is what the caller may conclude.
	Outcome exchange.Outcome
	// Message is for people.
	Message string
	// HTTPStatus is Diga's status, 0 if Diga did not respond.
	HTTPStatus int
	// Violations says which fields of the request were refused, and why.
	Violations []Violation
	// IntegrationIDs and ToolIDs are what the call created or may have created, at
	// most [MaxIDs].
	IntegrationIDs, ToolIDs []string
	// RetryAfter is how long to wait before a retry; nil if no retry is invited.
	RetryAfter *time.Duration

	cause     error
	relayable bool
	invited   bool
	status    atomic.Pointer[status.Status]
}

// Violation is one refused field.
type Violation struct {
	// Field is the path of the field, such as `template_id` or
	// `variables.a[2]`; `body` is the whole body, and empty is the whole request. A
	// dot within a key looks like a dot between two keys.
	Field string
	// Path is the same path in its elements, names as strings and indexes as ints,
	// where that is known: a key is one element, whatever it holds. It does not
	// travel in a gRPC status.
	Path []any
	// Description is for people.
	Description string
	// Reason is a constant name, such as UUID_PARSING; may be empty.
	Reason string
}

// WithMessage returns a copy of the error with another message.
func (e *Error) WithMessage(message string) *Error { return e.with(message, e.Violations) }

// WithViolations returns a copy of the error with other violations.
func (e *Error) WithViolations(violations ...Violation) *Error { return e.with(e.Message, violations) }

func (e *Error) with(message string, violations []Violation) *Error {
	c := e.copy()
	c.Message, c.Violations = message, violations
	c.fit()
	return c
}

// WithoutOutcome returns a copy of the error that concludes nothing about Diga's
// side. It is for a call about the copy of another call, whose fate its caller must
// not read from this one.
func (e *Error) WithoutOutcome() *Error { return e.WithOutcome(exchange.NotApplicable) }

// WithOutcome returns a copy of the error with another outcome.
func (e *Error) WithOutcome(o exchange.Outcome) *Error {
	c := e.copy()
	c.Outcome = o
	return c
}

// copy returns a copy of the error without its cached status.
func (e *Error) copy() *Error {
	return &Error{
		Code: e.Code, Reason: e.Reason, Domain: e.Domain, Outcome: e.Outcome, Message: e.Message, HTTPStatus: e.HTTPStatus,
		Violations: e.Violations, IntegrationIDs: e.IntegrationIDs, ToolIDs: e.ToolIDs, RetryAfter: e.RetryAfter,
		cause: e.cause, relayable: e.relayable, invited: e.invited,
	}
}

// Error returns a text that is safe to log: no message, no field, no text of the
// cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s (%s, %s", e.Code, e.Reason, e.Domain, e.outcome())
	if e.HTTPStatus > 0 {
		s += fmt.Sprintf(", HTTP %d", e.HTTPStatus)
	}
	return s + ")"
}

// GoString keeps %#v from printing the private half.
func (e *Error) GoString() string { return e.Error() }

// Unwrap returns the cause, nil if there is none. Its text may hold addresses and
// values, so it is for errors.Is and errors.As only.
func (e *Error) Unwrap() error { return e.cause }

// Relayable reports whether Diga's body is whole, well-formed and in one of
// its two error shapes, and came with an error status. A REST response may then be
// that body byte for byte. This fact does not travel in a status.
func (e *Error) Relayable() bool { return e.relayable }

// Invited reports whether Diga itself named the delay in RetryAfter, and
// said that nothing was done. This fact does not travel in a status.
func (e *Error) Invited() bool { return e.invited }

// RetryUnsafe reports whether a retry could do the same thing twice. It uses only
// what travels in a status, so that both ends of a call conclude the same. A read
// that timed out is therefore reported as unsafe too.
func (e *Error) RetryUnsafe() bool {
	switch e.outcome() {
	case exchange.NotSent, exchange.Rejected, exchange.NotApplicable:
		return false
	default:
		return e.RetryAfter == nil
	}
}

// outcome returns Outcome, or Unknown if it is not set: a failure without an outcome
// is stated to have none.
func (e *Error) outcome() exchange.Outcome {
	if e.Outcome == exchange.None {
		return exchange.Unknown
	}
	return e.Outcome
}

// maxReason and reasonPattern are the rules of google.rpc.ErrorInfo.reason.
const maxReason = 63

var reasonPattern = regexp.MustCompile(`^[A-Z][A-Z0-9_]+[A-Z0-9]$`)

func fitsReason(s string) bool { return len(s) <= maxReason && reasonPattern.MatchString(s) }

// summary returns the message for total refused fields: the first one, and how many
// more there are.
func summary(violations []Violation, total int) string {
	if len(violations) == 0 {
		return "the request is invalid"
	}
	first := violations[0]
	s := strings.TrimSuffix(first.Field+": "+first.Description, ": ")
	s = strings.TrimPrefix(s, ": ")
	if total > 1 {
		s += fmt.Sprintf(" (and %d more)", total-1)
	}
	return s
}
