package apierror

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/exchange"
)

// concluded returns an error that digate itself concluded.
func concluded(code codes.Code, reason string, outcome exchange.Outcome, message string, cause error) *Error {
	e := &Error{Code: code, Reason: reason, Domain: DomainDigate, Outcome: outcome, Message: message, cause: cause}
	e.Outcome = e.outcome()
	e.fit()
	return e
}

// InvalidRequest returns the error of a request that digate refuses. The descriptions
// must say what value a field requires, and must not quote the field's value.
func InvalidRequest(violations ...Violation) *Error {
	e := concluded(codes.InvalidArgument, ReasonInvalidRequest, exchange.NotSent,
		summary(violations, len(violations)), nil)
	e.Violations = violations
	e.fit()
	return e
}

// BodyIncomplete returns the error of a request whose body or message is incomplete.
func BodyIncomplete() *Error {
	return InvalidRequest(Violation{Field: "body", Description: "could not be read to its end", Reason: "BODY_INCOMPLETE"})
}

// MissingCredential returns the error of a call without a well-formed credential. The
// message must not quote the credential.
func MissingCredential(message string) *Error {
	return concluded(codes.Unauthenticated, ReasonMissingCredential, exchange.NotSent, message, nil)
}

// RequestTooLarge returns the error of a request of more than limit bytes. gRPC itself
// uses the same code for a message that is too large.
func RequestTooLarge(limit int64) *Error {
	return concluded(codes.ResourceExhausted, ReasonRequestTooLarge, exchange.NotSent,
		fmt.Sprintf("the request is larger than %d bytes", limit), nil)
}

// MetadataTooLarge returns the error of a call whose metadata has more than limit bytes.
func MetadataTooLarge(limit int) *Error {
	return concluded(codes.ResourceExhausted, ReasonRequestTooLarge, exchange.NotSent,
		fmt.Sprintf("the metadata is larger than %d bytes", limit), nil)
}

// ResponseTooLarge returns the error of a call that succeeded but whose response of size
// bytes is larger than gRPC callers accept. It invites no retry, because the response
// would be the same.
func ResponseTooLarge(size, limit int64) *Error {
	return concluded(codes.ResourceExhausted, ReasonResponseTooLarge, exchange.Done,
		fmt.Sprintf("Diga's response has %d bytes, and a gRPC caller gets %d at most; ask for a smaller page, or over REST", size, limit), nil)
}

// PreviewTooLarge returns the error of a preview that exceeds digate's size limit.
func PreviewTooLarge() *Error {
	return concluded(codes.ResourceExhausted, ReasonRequestTooLarge, exchange.NotSent,
		"the template with its variables is too large to be previewed", nil)
}

// NotChecked returns the error of a copy that is not sent because its template could not
// be read. If Diga refused to return the template, the error is that of Diga's refusal.
func NotChecked(cause *Error) *Error {
	if cause.Outcome != exchange.Unknown {
		return cause
	}
	code := cause.Code
	if code == codes.Unavailable || code == codes.Unknown || code == codes.Internal {
		e := concluded(codes.Unavailable, ReasonGateway, exchange.NotSent, "the copy was not sent, because its template could not be read: "+cause.Message, cause)
		e.RetryAfter = new(defaultRetryAfter)
		return e
	}
	if code == codes.Canceled {
		return concluded(code, ReasonCancelledBeforeSend, exchange.NotSent, "the call was cancelled while its template was read; the copy was not sent", cause)
	}
	return concluded(code, ReasonDeadlineBeforeSend, exchange.NotSent, "the template could not be read in time; the copy was not sent", cause)
}

// RouteNotFound returns the error of a REST request with an unknown path.
func RouteNotFound() *Error {
	return concluded(codes.NotFound, ReasonRouteNotFound, exchange.NotSent, "there is nothing at this path", nil)
}

// MethodNotAllowed returns the error of a REST request whose path exists only for other
// HTTP methods.
func MethodNotAllowed() *Error {
	return concluded(codes.Unimplemented, ReasonMethodNotAllowed, exchange.NotSent, "this path does not support this method", nil)
}

// UnknownMethod returns the error of a gRPC call to a method that the server does not
// have.
func UnknownMethod() *Error {
	return concluded(codes.Unimplemented, ReasonUnknownMethod, exchange.NotSent, "there is no such method", nil)
}

// UnsupportedMediaType returns the error of a Connect or gRPC-Web request whose content
// type is unknown or not supported for the method.
func UnsupportedMediaType() *Error {
	return concluded(codes.Unimplemented, ReasonUnsupportedMediaType, exchange.NotSent, "this method does not take requests of this content type", nil)
}

// HTTP2Required returns the error of a request over HTTP/1.1 to a bidirectional streaming
// method.
func HTTP2Required() *Error {
	return concluded(codes.Unimplemented, ReasonHTTP2Required, exchange.NotSent, "both sides of this method stream, for which HTTP/2 is required", nil)
}

// UnsupportedEncoding returns the error of a gRPC call whose messages have an encoding
// that the server does not support.
func UnsupportedEncoding(name string) *Error {
	return concluded(codes.Unimplemented, ReasonUnsupportedEncoding, exchange.NotSent,
		"the grpc-encoding "+name+" is not supported; gzip and identity are", nil)
}

// UnknownEncoding returns the error of a gRPC call whose messages have an encoding with
// an unknown name.
func UnknownEncoding() *Error {
	return concluded(codes.Unimplemented, ReasonUnsupportedEncoding, exchange.NotSent,
		"the grpc-encoding is not supported; gzip and identity are", nil)
}

// MalformedHeader returns the error of a gRPC call with a malformed header. Its code is
// the one that gRPC uses.
func MalformedHeader() *Error {
	return concluded(codes.Internal, ReasonInvalidRequest, exchange.NotSent,
		"the header of the call is malformed: its grpc-timeout, a binary value, or its host", nil)
}

// Unreachable returns the error of a request of which no byte was sent: the connection
// was refused, or DNS or TLS failed.
func Unreachable(cause error) *Error {
	e := concluded(codes.Unavailable, ReasonUnreachable, exchange.NotSent, "Diga could not be reached; nothing was sent", cause)
	e.RetryAfter = new(defaultRetryAfter)
	return e
}

// CircuitOpen returns the error of a call that is not sent because Diga failed too often.
// After the wait, Diga is called again.
func CircuitOpen(wait time.Duration) *Error {
	e := concluded(codes.Unavailable, ReasonCircuitOpen, exchange.NotSent,
		"Diga failed too often and is left alone for a while; nothing was sent", nil)
	e.RetryAfter = new(min(max(wait, 0), maxRetryAfter))
	return e
}

// Overloaded returns the error of a call that is not sent because too many calls are in
// progress or waiting. wait is the expected time until a call can be sent, or 0 if it is
// unknown.
func Overloaded(wait time.Duration) *Error {
	e := concluded(codes.Unavailable, ReasonOverloaded, exchange.NotSent,
		"the call would wait too long for its turn; nothing was sent", nil)
	if wait <= 0 {
		wait = defaultRetryAfter
	}
	e.RetryAfter = new(min(wait, maxRetryAfter))
	return e
}

// TooManyStreams returns the error of a stream that is refused because this caller or all
// callers have too many open streams.
func TooManyStreams() *Error {
	e := concluded(codes.Unavailable, ReasonTooManyStreams, exchange.NotSent,
		"too many streams wait for their callers; nothing was sent", nil)
	e.RetryAfter = new(defaultRetryAfter)
	return e
}

// LedgerUnavailable returns the error of a call with a request id that is not sent,
// because the ledger cannot tell whether it was sent before.
func LedgerUnavailable(cause error) *Error {
	e := concluded(codes.Unavailable, ReasonLedgerUnavailable, exchange.NotSent,
		"the ledger of request ids cannot be used; nothing was sent", cause)
	e.RetryAfter = new(defaultRetryAfter)
	return e
}

// shareWait is when a caller may retry after it used up its share of the ledger. Records
// are deleted continuously.
const shareWait = time.Minute

// LedgerShareExceeded returns the error of a call with a request id that is not sent,
// because its caller has used up its share of the ledger's records.
func LedgerShareExceeded() *Error {
	e := concluded(codes.ResourceExhausted, ReasonLedgerShareExceeded, exchange.NotSent,
		"the ledger holds as many request ids of this caller as it may, until older ones are forgotten; nothing was sent", nil)
	e.RetryAfter = new(shareWait)
	return e
}

// AuditUnavailable returns the error of a write that is not sent, because the audit log
// cannot be written.
func AuditUnavailable() *Error {
	e := concluded(codes.Unavailable, ReasonAuditUnavailable, exchange.NotSent,
		"the audit log of this server cannot be written; nothing was sent", nil)
	e.RetryAfter = new(defaultRetryAfter)
	return e
}

// NoRecord returns the error of a request about a call that is not in the ledger. It has
// no outcome, because that call may have been made.
func NoRecord() *Error {
	return concluded(codes.NotFound, ReasonNoRecord, exchange.NotApplicable,
		"the ledger has no record with this request id of this caller; that does not mean that nothing was created", nil)
}

// NotResolvable returns the error of a settlement that is not possible. The message says
// why. It has no outcome, because the copy may have been made.
func NotResolvable(message string) *Error {
	return concluded(codes.FailedPrecondition, ReasonNotResolvable, exchange.NotApplicable, message, nil)
}

// Resource is the type of resource that a call creates.
type Resource int8

// The types of resources that calls create.
const (
	Integration Resource = iota
	Tool
)

// String returns the resource's name for messages.
func (r Resource) String() string {
	if r == Tool {
		return "tool"
	}
	return "integration"
}

// MaxIDs is the maximum number of resources in a status.
const MaxIDs = 10

// name adds the ids of the resources that the call created, or may have created, to the
// error.
func (e *Error) name(what Resource, ids ...string) *Error {
	ids = fitIDs(ids)
	if what == Tool {
		e.ToolIDs = ids
	} else {
		e.IntegrationIDs = ids
	}
	return e
}

// InDoubt returns the error of a call whose request id belongs to an earlier call that
// was sent and whose outcome is unknown. The candidates are the resources that the
// earlier call may have created.
func InDoubt(what Resource, candidates []string) *Error {
	message := "an earlier call with this request id was sent and its outcome is not known; it is not sent again until that is settled"
	if named := fitIDs(candidates); len(named) > 0 {
		message += "; it may have created " + strings.Join(named, ", ")
	}
	return concluded(codes.Aborted, ReasonOutcomeUnknown, exchange.Unknown, message, nil).name(what, candidates...)
}

// AlreadyCreated returns the error of a call whose request id belongs to an earlier call
// that succeeded. The id is empty if it was too long to be recorded. The cause says why
// the resource cannot be returned.
func AlreadyCreated(what Resource, id string, cause error) *Error {
	message := "an earlier call with this request id was a success; the id of what it created was too long to be recorded"
	if id != "" {
		message = "an earlier call with this request id created " + id + ", which could not be read now"
	}
	return concluded(codes.AlreadyExists, ReasonAlreadyCreated, exchange.Done, message, cause).name(what, id)
}

// StillUnderWay returns the error of a call with a request id that continues after its
// caller's deadline: it was sent, or another call with the same id is in progress.
func StillUnderWay(cause error) *Error {
	return ResponseLost(cause, true).
		WithMessage("the call is still under way; with the same request id it can be asked for again and is not sent twice")
}

// TooManyItems returns the error of a stream with more than limit items. The first limit
// items have their results, and nothing was done for the others.
func TooManyItems(limit int) *Error {
	return concluded(codes.ResourceExhausted, ReasonRequestTooLarge, exchange.NotSent,
		fmt.Sprintf("the stream has more than %d items; the rest was not begun", limit), nil)
}

// Draining returns the error of a stream on a server that is stopping. Items that were
// begun have their responses, and nothing was done for the others.
func Draining() *Error {
	e := concluded(codes.Unavailable, ReasonDraining, exchange.NotSent,
		"the server is stopping; what has no response was not begun", nil)
	e.RetryAfter = new(defaultRetryAfter)
	return e
}

// Stalled returns the error of a stream on which neither side made progress for too long.
func Stalled(timeout time.Duration) *Error {
	return concluded(codes.DeadlineExceeded, ReasonStalled, exchange.Unknown,
		fmt.Sprintf("nothing moved on the stream for %v; what was sent goes on and is recorded", timeout), nil)
}

// EndlessList returns the error of a list that repeats itself, or that does not say after
// which id it continues.
func EndlessList() *Error {
	return concluded(codes.Unknown, ReasonInvalidResponse, exchange.Unknown,
		"Diga says that there are more items, but does not list them", nil)
}

// Drifted returns the error of a read whose response deviates from the contract, for
// callers that do not accept such responses.
func Drifted(drift []exchange.Drift) *Error {
	departures := make([]string, len(drift))
	for i, d := range drift {
		departures[i] = d.String()
	}
	return concluded(codes.Unknown, ReasonInvalidResponse, exchange.Unknown,
		"Diga's response departs from its contract: "+strings.Join(departures, ", "), nil)
}

// NotBegun returns the error of a call that ended before a byte of the request was sent,
// because the deadline was too close or the caller cancelled the call (cause is
// [context.Canceled]).
func NotBegun(cause error) *Error {
	if errors.Is(cause, context.Canceled) {
		return concluded(codes.Canceled, ReasonCancelledBeforeSend, exchange.NotSent,
			"the call was cancelled before anything was sent", cause)
	}
	return concluded(codes.DeadlineExceeded, ReasonDeadlineBeforeSend, exchange.NotSent,
		"the deadline left no time to begin; nothing was sent", cause)
}

// ResponseLost returns the error of a request that was sent and got no conclusive
// response: the connection was reset or closed, or the deadline passed or the caller
// cancelled the call first (cause is [context.DeadlineExceeded] or [context.Canceled]).
func ResponseLost(cause error, write bool) *Error {
	code, message := codes.Unknown, "Diga's response was lost"
	var retryAfter *time.Duration
	switch {
	case errors.Is(cause, context.Canceled):
		code, message = codes.Canceled, "the call was cancelled before Diga's response came"
	case errors.Is(cause, context.DeadlineExceeded):
		code, message = codes.DeadlineExceeded, "the deadline passed before Diga's response came"
	case !write:
		code, retryAfter = codes.Unavailable, new(defaultRetryAfter)
	}
	e := concluded(code, ReasonOutcomeUnknown, exchange.Unknown, message+doubt(write), cause)
	e.RetryAfter = retryAfter
	return e
}

// Internal returns the error of a bug or a panic in digate. outcome is what the caller
// may conclude at that point.
func Internal(cause error, outcome exchange.Outcome) *Error {
	return concluded(codes.Internal, ReasonInternalError, outcome, "digate failed internally", cause)
}

// doubt returns the end of a message about an unknown outcome.
func doubt(write bool) string {
	if write {
		return "; the request may have been carried out"
	}
	return ""
}
