// Package apierror is digate's error model. Every failure is an [Error], whether it comes
// from Diga's response or digate concluded it. An Error becomes a gRPC status
// ([Error.GRPCStatus]) or a REST response in Diga's format ([Error.REST]), and a status
// becomes an Error again ([FromStatus]).
//
// Each Error has an outcome: what the caller may conclude about the effect at Diga. The
// outcome also determines the gRPC code, because generic clients repeat UNAVAILABLE by
// themselves. A write that may have been performed never has that code, and never has a
// RetryInfo.
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

// The domain of a reason says who stated it.
const (
	// DomainDiga is the domain of a reason from Diga's response, whose body had one of
	// its two error formats.
	DomainDiga = "diga.io"
	// DomainDigate is the domain of a reason that digate concluded.
	DomainDigate = "digate"
)

// The reasons that digate itself gives. Diga's reason is the error_code of its response.
const (
	ReasonInvalidRequest    = "INVALID_REQUEST"
	ReasonMissingCredential = "MISSING_CREDENTIAL"
	// ReasonInvalidCredential: a token or certificate does not identify a caller.
	ReasonInvalidCredential = "INVALID_CREDENTIAL"
	// ReasonCredentialExpired: the credential of a stream has expired.
	ReasonCredentialExpired = "CREDENTIAL_EXPIRED"
	// ReasonAuthenticationUnavailable: the keys for verifying tokens are not available.
	ReasonAuthenticationUnavailable = "AUTHENTICATION_UNAVAILABLE"
	// ReasonAccountRequired: the caller has several accounts and the call names none.
	ReasonAccountRequired = "ACCOUNT_REQUIRED"
	// ReasonNotAllowed: the file of accounts does not allow the call.
	ReasonNotAllowed = "NOT_ALLOWED"
	// ReasonQuotaExceeded: a quota in the file of accounts is used up.
	ReasonQuotaExceeded    = "QUOTA_EXCEEDED"
	ReasonRequestTooLarge  = "REQUEST_TOO_LARGE"
	ReasonRouteNotFound    = "ROUTE_NOT_FOUND"
	ReasonMethodNotAllowed = "METHOD_NOT_ALLOWED"
	// ReasonTLSRequired: a REST request without TLS came to a port with TLS.
	ReasonTLSRequired   = "TLS_REQUIRED"
	ReasonUnknownMethod = "UNKNOWN_METHOD"
	// ReasonUnsupportedEncoding: a gRPC message has an encoding other than gzip.
	ReasonUnsupportedEncoding = "UNSUPPORTED_ENCODING"
	// ReasonUnsupportedMediaType: the content type of a request is not supported for the
	// method.
	ReasonUnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
	// ReasonHTTP2Required: a bidirectional stream was requested over HTTP/1.1.
	ReasonHTTP2Required = "HTTP2_REQUIRED"
	ReasonInternalError = "INTERNAL_ERROR"
	// ReasonUnreachable: no connection could be opened.
	ReasonUnreachable = "UPSTREAM_UNREACHABLE"
	// ReasonCircuitOpen: Diga has failed so often that it gets no calls for a while.
	ReasonCircuitOpen = "UPSTREAM_CIRCUIT_OPEN"
	// ReasonOverloaded: too many calls are in progress or waiting.
	ReasonOverloaded = "OVERLOADED"
	// ReasonResponseTooLarge: Diga's response is larger than a gRPC caller accepts.
	ReasonResponseTooLarge = "RESPONSE_TOO_LARGE"
	// ReasonTooManyStreams: too many streams are open.
	ReasonTooManyStreams = "TOO_MANY_STREAMS"
	// ReasonAuditUnavailable: the audit log cannot be written, and no write is sent
	// without it.
	ReasonAuditUnavailable = "AUDIT_UNAVAILABLE"
	// ReasonLedgerUnavailable: the ledger cannot tell whether the call was made before.
	ReasonLedgerUnavailable = "LEDGER_UNAVAILABLE"
	// ReasonLedgerShareExceeded: the caller has used up its share of the ledger's
	// records.
	ReasonLedgerShareExceeded = "LEDGER_SHARE_EXCEEDED"
	// ReasonAlreadyCreated: an earlier call with the request id created a resource that
	// cannot be read.
	ReasonAlreadyCreated = "ALREADY_CREATED"
	// ReasonNoRecord: the ledger has no record of a call.
	ReasonNoRecord = "RECORD_NOT_FOUND"
	// ReasonNotResolvable: the call is not in doubt, or cannot have had the stated
	// outcome.
	ReasonNotResolvable = "RECORD_NOT_RESOLVABLE"
	// ReasonStalled: neither side of a stream made progress.
	ReasonStalled = "STALLED"
	// ReasonDraining: the stream ends because the server is stopping.
	ReasonDraining = "DRAINING"
	// ReasonDeadlineBeforeSend: too little time was left to begin.
	ReasonDeadlineBeforeSend = "DEADLINE_BEFORE_SEND"
	// ReasonCancelledBeforeSend: the caller cancelled before anything was sent.
	ReasonCancelledBeforeSend = "CANCELLED_BEFORE_SEND"
	// ReasonOutcomeUnknown: the request was sent and no conclusive response was received.
	ReasonOutcomeUnknown = "OUTCOME_UNKNOWN"
	// ReasonInvalidResponse: the response is not conclusive.
	ReasonInvalidResponse = "UPSTREAM_INVALID_RESPONSE"
	// ReasonRateLimited: 429 with no error_code.
	ReasonRateLimited = "RATE_LIMITED"
	// ReasonUpstreamError: 500 with no error_code.
	ReasonUpstreamError = "UPSTREAM_ERROR"
	// ReasonGateway: any other 5xx without an error_code, which a proxy probably sent.
	ReasonGateway = "UPSTREAM_GATEWAY"
	// ReasonUnexpected: a refusal outside Diga's contract, without an error_code.
	ReasonUnexpected = "UPSTREAM_UNEXPECTED"
)

// Error is the error of one call. The exported fields are shown to the caller on every
// protocol. They contain no secret, and must not be changed after the Error was returned.
// The cause is private.
type Error struct {
	// Code is the gRPC code.
	Code codes.Code
	// Reason is the constant name of the error, unique within Domain.
	Reason string
	// Domain is [DomainDiga] or [DomainDigate].
	Domain string
	// Outcome is what the caller may conclude.
	Outcome exchange.Outcome
	// Message is a text for people.
	Message string
	// HTTPStatus is Diga's status, or 0 if Diga did not respond.
	HTTPStatus int
	// Violations are the refused fields of the request.
	Violations []Violation
	// IntegrationIDs and ToolIDs are the resources that the call created or may have
	// created, at most [MaxIDs].
	IntegrationIDs, ToolIDs []string
	// RetryAfter is how long to wait before a retry. It is nil if the caller should not
	// retry.
	RetryAfter *time.Duration

	cause     error
	relayable bool
	invited   bool
	status    atomic.Pointer[status.Status]
}

// Violation is a refused field of a request.
type Violation struct {
	// Field is the path of the field, such as `template_id` or `variables.a[2]`. `body`
	// means the whole body, and an empty path the whole request. A dot within a key
	// cannot be distinguished from a dot between two keys.
	Field string
	// Path is the same path as a list, with names as strings and indexes as ints, if it
	// is known. Here a key is one element, whatever it contains. Path is not part of a
	// gRPC status.
	Path []any
	// Description is a text for people.
	Description string
	// Reason is a constant name, such as UUID_PARSING. It may be empty.
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

// WithoutOutcome returns a copy of the error without an outcome. It is for a call about
// the copy of another call: the caller must not take the outcome for that of the copy.
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

// Error returns a text that is safe to log. It has no message, no field, and no text of
// the cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s (%s, %s", e.Code, e.Reason, e.Domain, e.outcome())
	if e.HTTPStatus > 0 {
		s += fmt.Sprintf(", HTTP %d", e.HTTPStatus)
	}
	return s + ")"
}

// GoString prevents %#v from printing the cause.
func (e *Error) GoString() string { return e.Error() }

// Unwrap returns the cause, which may be nil. Its text may contain addresses and values,
// so it is only for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.cause }

// Relayable reports whether Diga's response has an error status and a complete,
// well-formed body in one of Diga's two error formats. A REST response may then be that
// body, byte for byte. A status does not include this information.
func (e *Error) Relayable() bool { return e.relayable }

// Invited reports whether Diga itself named the delay in RetryAfter and stated that
// nothing was done. A status does not include this information.
func (e *Error) Invited() bool { return e.invited }

// RetryUnsafe reports whether a retry could perform the operation twice. It uses only
// what a status includes, so that both sides of a call conclude the same. It therefore
// also returns true for a read that timed out.
func (e *Error) RetryUnsafe() bool {
	switch e.outcome() {
	case exchange.NotSent, exchange.Rejected, exchange.NotApplicable:
		return false
	default:
		return e.RetryAfter == nil
	}
}

// outcome returns Outcome, or Unknown if it is not set.
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

// summary returns the message for total refused fields: the first one, and how many more
// there are.
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
