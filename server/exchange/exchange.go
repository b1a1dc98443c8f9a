// Package exchange records what passed between digate and Diga on one
// call. The record travels in the call's context: upstream writes it, and
// whatever sees the call end (the access log, metrics, the REST side) reads it.
package exchange

import (
	"context"
	"time"
)

// Outcome is what a caller may conclude about Diga's side of a call.
type Outcome int8

const (
	// None means that no conclusion was reached yet.
	None Outcome = iota
	// Done means that Diga did what was asked.
	Done
	// NotSent means that no byte of the request left, or that Diga's
	// protocol guarantees it went unprocessed: nothing was done.
	NotSent
	// Rejected means that Diga responded and did not do it.
	Rejected
	// Unknown means that the request left and no verdict came back: it may have
	// been done.
	Unknown
	// NotApplicable means that the call was not about something that Diga does: an
	// outcome of it would be taken for that of another call.
	NotApplicable
)

// String returns the outcome as it is in ErrorInfo metadata, in the
// Digate-Outcome header and in logs; empty for None.
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

// ParseOutcome is the inverse of [Outcome.String]. Text that names no outcome
// is None.
func ParseOutcome(s string) Outcome {
	for o := Done; o <= NotApplicable; o++ {
		if s == o.String() {
			return o
		}
	}
	return None
}

// Exchange is the record of one call. It belongs to the goroutine that carries
// the call; nothing in it may be read before the call has returned to that
// goroutine, and nothing in it is locked.
type Exchange struct {
	// Attempts are the HTTP exchanges that were begun, in order.
	Attempts []Attempt
	// Outcome is what may be concluded.
	Outcome Outcome
	// Status is Diga's HTTP status, 0 where none was received.
	Status int
	// Body is Diga's body as received, after content decoding, and
	// possibly cut short. It must not be changed.
	Body []byte
	// Relay reports whether Body is whole and well-formed, a success with an id or an
	// error in one of Diga's two shapes, so that the REST side responds
	// with it as it is.
	Relay bool
	// CheckedJSON is JSON in the request that was checked as it was read, and need not be
	// checked again; empty for none.
	CheckedJSON string
	// Drift lists the places where the upstream's response departs from the
	// contract.
	Drift []Drift
	// Cause says in a few words what failed, for logs: no value of a field, no
	// text of Diga's. Empty where nothing failed.
	Cause string
	// Omitted names the fields that were left out of a response that was too large
	// for its caller, separated by commas; empty where all was sent.
	Omitted string
	// LedgerRecord is the name of the call's record in the ledger, empty for a
	// call without a request id. The request id cannot be read from it.
	LedgerRecord string
	// Replayed reports whether an earlier call created what this one returned.
	Replayed bool
	// XRequestID is the X-Request-Id of the call. A part of a call has that of the
	// whole.
	XRequestID string
	// CallersTrace reports whether the call, or the whole of which it is a part, is in a
	// trace that its caller named.
	CallersTrace bool
	// Items counts the copies of a bulk stream, nil for any other call.
	Items *Items
	// CreatedID is the id of what an operation created, or found to be created.
	CreatedID string
	// AuditNumber is that of the audit line with which a write began, 0 for none.
	AuditNumber uint64
}

// Items counts the copies of a bulk stream by their outcome.
type Items struct {
	Total, Done, Replayed, NotSent, Rejected, Unknown int64
}

// Attempt is one HTTP exchange with Diga.
type Attempt struct {
	// Status is Diga's HTTP status, 0 where none was received.
	Status int
	// Outcome is what this attempt alone lets conclude.
	Outcome Outcome
	// Duration is the time until the last byte of the response, or the failure.
	Duration time.Duration
}

// Duration returns the time that all attempts took, without the waits between them.
func (ex *Exchange) Duration() time.Duration {
	var d time.Duration
	for i := range ex.Attempts {
		d += ex.Attempts[i].Duration
	}
	return d
}

type key struct{}

// recordContext is a context that carries an exchange. The two and the first attempt,
// since most calls need no more, are one allocation.
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

// NewContext returns a context that carries a new exchange, and the exchange. If ctx has
// one already, the new one is that of a part of its call.
func NewContext(ctx context.Context) (context.Context, *Exchange) {
	c := &recordContext{Context: ctx}
	c.exchange.Attempts = c.first[:0]
	if of := FromContext(ctx); of != nil {
		c.exchange.XRequestID, c.exchange.CallersTrace = of.XRequestID, of.CallersTrace
	}
	return c, &c.exchange
}

// FromContext returns the context's exchange, nil where there is none.
func FromContext(ctx context.Context) *Exchange {
	ex, _ := ctx.Value(key{}).(*Exchange)
	return ex
}
