// Package exchangetest has what tests of packages that observe operations share.
package exchangetest

import (
	"context"
	"time"

	"github.com/digate/digate/server/exchange"
)

// Observer is an observer that is called at the end of each operation. The
// operation's Began is set.
type Observer func(op exchange.Operation, ex *exchange.Exchange, err error)

// Start begins the observation of an operation.
func (o Observer) Start(ctx context.Context, op exchange.Operation) (_ context.Context, end func(*exchange.Exchange, error)) {
	if op.Began.IsZero() {
		op.Began = time.Now()
	}
	return ctx, func(ex *exchange.Exchange, err error) { o(op, ex, err) }
}

// Ignore is an observer that ignores every operation.
func Ignore(exchange.Operation, *exchange.Exchange, error) {}
