// Package exchange records what passed between digate and Diga during a call. The record
// is in the call's context: upstream writes it, and the code that handles the end of a
// call (the access log, metrics, the REST side) reads it.
package exchange

import (
	"context"
	"time"
)

// Outcome is what a caller may conclude about the effect of a call at Diga.
type Outcome int8

const (
	// None means that nothing is concluded yet.
	None Outcome = iota
	// Done means that Diga performed the operation.
	Done
	// NotSent means that the operation was not performed: no byte of the request was
	// sent, or Diga's protocol guarantees that Diga did not process it.
	NotSent
	// Rejected means that Diga responded and did not perform the operation.
	Rejected
	// Unknown means that the request was sent and no conclusive response was received:
	// the operation may have been performed.
	Unknown
	// NotApplicable means that the call does not perform an operation at Diga. Callers
	// could take an outcome for that of another call.
	NotApplicable
)

// String returns the outcome as it appears in ErrorInfo metadata, in the Digate-Outcome
// header and in logs. It is empty for None.
func (o Outcome) String() string {
	switch o {
	case Done:
		return "DONE"
	case NotSent:
		return "NOT_SENT"
	case Rejected:
		return "REJECTED"
	case Unknown:
		return "UNKNOWN"
	case NotApplicable:
		return "NOT_APPLICABLE"
	default:
		return ""
	}
}

// ParseOutcome is the inverse of [Outcome.String]. It returns None for any other text.
func ParseOutcome(s string) Outcome {
	for o := Done; o <= NotApplicable; o++ {
		if s == o.String() {
			return o
		}
	}
	return None
}

// Exchange is the record of one call. It belongs to the goroutine that runs the call and
// has no lock: other goroutines must not read it before the call has returned.
type Exchange struct {
	// Attempts are the HTTP exchanges with Diga, in order.
	Attempts []Attempt
	// Outcome is what the caller may conclude.
	Outcome Outcome
	// Status is Diga's HTTP status, or 0 if there was no response.
	Status int
	// Body is the body of Diga's response after content decoding. It may be incomplete.
	// It must not be modified.
	Body []byte
	// Relay means that the REST side returns Body unchanged: Body is complete,
	// well-formed, and either a success with an id or an error in one of Diga's two
	// formats.
	Relay bool
	// CheckedJSON is JSON in the request that was already validated, or empty.
	CheckedJSON string
	// Drift lists the deviations of Diga's response from the contract.
	Drift []Drift
	// Cause describes a failure in a few words for logs. It contains no value of a field
	// and no text from Diga. It is empty if nothing failed.
	Cause string
	// Omitted lists the fields that were removed from a response because it was too large
	// for its caller, separated by commas.
	Omitted string
	// LedgerRecord is the name of the call's ledger record. It does not reveal the
	// request id. It is empty for a call without a request id.
	LedgerRecord string
	// Replayed means that an earlier call created the returned resource.
	Replayed bool
	// XRequestID is the X-Request-Id of the call. The parts of a call have the
	// X-Request-Id of the whole.
	XRequestID string
	// CallersTrace means that the caller named the trace that the call belongs to.
	CallersTrace bool
	// Items counts the copies of a bulk stream. It is nil for any other call.
	Items *Items
	// CreatedID is the id of what an operation created, or was found to have created.
	CreatedID string
	// AuditNumber is the number of the audit line that was written at the start of a
	// write, or 0 if there is none.
	AuditNumber uint64
}

// Items counts the copies of a bulk stream by their outcome.
type Items struct {
	Total, Done, Replayed, NotSent, Rejected, Unknown int64
}

// Attempt is one HTTP exchange with Diga.
type Attempt struct {
	// Status is Diga's HTTP status, or 0 if there was no response.
	Status int
	// Outcome is what this attempt alone allows to conclude.
	Outcome Outcome
	// Duration is the time until the end of the response or the failure.
	Duration time.Duration
}

// Duration returns the total time of all attempts, without the waits between them.
func (ex *Exchange) Duration() time.Duration {
	var d time.Duration
	for i := range ex.Attempts {
		d += ex.Attempts[i].Duration
	}
	return d
}

type key struct{}

// recordContext is a context with an exchange. It includes the first attempt, because
// most calls need only one: all three are one allocation.
type recordContext struct {
	context.Context
	exchange Exchange
	first    [1]Attempt
}

// Value implements [context.Context].
func (c *recordContext) Value(k any) any {
	if k == (key{}) {
		return &c.exchange
	}
	return c.Context.Value(k)
}

// NewContext returns a context with a new exchange, and the exchange. If ctx already has
// an exchange, the new one is for a part of that call.
func NewContext(ctx context.Context) (context.Context, *Exchange) {
	c := &recordContext{Context: ctx}
	c.exchange.Attempts = c.first[:0]
	if of := FromContext(ctx); of != nil {
		c.exchange.XRequestID, c.exchange.CallersTrace = of.XRequestID, of.CallersTrace
	}
	return c, &c.exchange
}

// FromContext returns the exchange in the context, or nil if there is none.
func FromContext(ctx context.Context) *Exchange {
	ex, _ := ctx.Value(key{}).(*Exchange)
	return ex
}
