package bulk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
)

const (
	// firstReconnect and lastReconnect bound the wait before a new connection.
	firstReconnect = 200 * time.Millisecond
	lastReconnect  = 10 * time.Second
)

// runner sends rows and reports the result of each. It uses as many streams and
// connections as it takes. Only one goroutine uses a runner.
type runner struct {
	connect func(context.Context) (*connection, error)
	job     *job
	promise promise // of the ledger, for what this run sends
	// lacking names what the copies of rows would lack that are not to be sent.
	lacking  map[*entry]string
	contract *contract
	// planned says that every row that may be sent is in the job's file.
	planned    bool
	window     int           // most items that are pending at a time
	reconnects int           // most failures in a row
	grace      time.Duration // time for pending items after the context ended
	stall      time.Duration // longest silence of the server
	now        func() time.Time
	report     *report
	// arriving is set for an input that can be read only once.
	arriving *arriving
	rows     <-chan *row // nil after the last row

	conn      *connection      // nil between connections
	pending   map[string]*item // by request id
	queue     []*item          // pending items to send now
	later     []*item          // pending items to send when they are due
	responses int
	failures  int // streams and connections in a row without a response
}

// all sends every row of an input. why says what ended the run early, err why the
// input could not be read to its end. With rest, rows that were not begun get a
// result too, so that every row has one.
func (r *runner) all(ctx context.Context, timeout time.Duration, in *input, rest bool) (why, err error) {
	interrupt := ctx
	ctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(interrupt, func() { stop(errInterrupted) })()
	if timeout > 0 {
		defer time.AfterFunc(timeout, func() { stop(errTimedOut) }).Stop()
	}
	r.report.stop = stop
	warn := r.report.say
	if in.again() {
		warn = discardWarning // the first pass has warned
	}
	rows, err := in.open(ctx, r.job, warn)
	if isEnd(ctx, err) {
		return context.Cause(ctx), nil
	}
	if err != nil {
		return nil, err
	}
	reading, quit := context.WithCancel(context.WithoutCancel(ctx))
	defer quit()
	read, end := make(chan *row), make(chan error, 1)
	rows.arriving = r.arriving
	go func() { end <- rows.send(reading, read) }()
	r.rows = read

	defer r.report.run()()
	r.run(ctx, stop)
	if len(r.pending) > 0 || r.rows != nil {
		why = context.Cause(ctx)
		r.abandon(why, rest)
	}
	if r.rows == nil {
		err = <-end
	}
	// Ctrl-C ends the program at the other end of a pipe as well, so the end of the input
	// may not be the end of its rows.
	if !in.again() && interrupt.Err() != nil {
		why = errInterrupted
	}
	if isEnd(ctx, err) {
		return context.Cause(ctx), nil
	}
	return why, err
}

// isEnd reports whether the end of ctx is why an input was not read to its own.
func isEnd(ctx context.Context, err error) bool {
	return err != nil && errors.Is(err, context.Cause(ctx))
}

// run returns when every row has its result or ctx has ended. After the end of
// ctx nothing new is begun, and pending items get the grace to end. run calls
// stop with the reason if it is pointless to go on.
func (r *runner) run(ctx context.Context, stop context.CancelCauseFunc) {
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(r.grace, cut) })()
	defer r.disconnect()
	for it := r.next(ctx); it != nil; it = r.next(ctx) {
		responses := r.responses
		err := r.reconnect(ctx)
		if err != nil {
			r.queue = append(r.queue, it)
		} else {
			err = r.stream(ctx, work, it)
		}
		if r.responses > responses {
			r.failures = 0
		}
		switch {
		case err == nil:
			if r.conn.isLeaving() {
				r.disconnect()
			}
		case ctx.Err() != nil:
			return
		case !isTransient(err):
			stop(describeFailure(err))
		case r.failures >= r.reconnects:
			stop(fmt.Errorf("gave up after %d connections without a response: %w", r.failures, describeFailure(err)))
		default:
			r.disconnect()
			wait := min(firstReconnect<<min(r.failures, 10), lastReconnect)
			r.failures++
			r.report.say(fmt.Sprintf("%v; connecting again", describeFailure(err)))
			sleep(ctx, wait+rand.N(wait))
		}
	}
}

// reconnect connects, unless there is a connection. The new server must have the
// ledger in which the job's copies are recorded.
func (r *runner) reconnect(ctx context.Context) error {
	if r.conn != nil {
		return nil
	}
	conn, err := r.connect(ctx)
	if err != nil {
		return err
	}
	if err := r.promise.of(conn.ledger); err != nil {
		conn.close()
		return err
	}
	r.conn = conn
	return nil
}

func (r *runner) disconnect() {
	if r.conn != nil {
		r.conn.close()
		r.conn = nil
	}
}

// abandon reports every pending item. With rest it also reports the rows that
// were not begun.
func (r *runner) abandon(why error, rest bool) {
	short, _, _ := strings.Cut(fmt.Sprint(why), "\n") // the screen shows the rest, once
	why = errors.New(strings.TrimSuffix(short, "."))
	for _, it := range byLine(maps.Values(r.pending)) {
		r.settle(it, func(res *rowResult) {
			switch {
			case it.last != nil && it.sent.IsZero():
				res.failed(it.last)
			case it.sent.IsZero():
				*res = notBegun(it.row, why)
			default:
				res.Outcome, res.Code, res.Reason = rowUnknown, "UNKNOWN", reasonNoResponse
				res.Message = fmt.Sprintf("it was sent, and no response came: %v; another run asks again", why)
			}
		})
	}
	if !rest || r.rows == nil {
		return
	}
	defer func() { r.rows = nil }()
	for next := range r.rows {
		switch res := r.known(next); {
		case next.err != nil:
			r.refuse(next, invalidRow(next, next.err))
		case res != nil:
			r.report.result(*res)
		default:
			r.refuse(next, notBegun(next, why))
		}
	}
}

func invalidRow(next *row, err error) rowResult {
	res := resultOf(next)
	res.Outcome, res.Code, res.Reason, res.Message = rowNotSent, "INVALID_ARGUMENT", reasonInvalidRow, err.Error()
	return res
}

func notBegun(next *row, why error) rowResult {
	res := resultOf(next)
	res.Outcome, res.Code, res.Reason, res.Message = rowNotSent, "CANCELLED", reasonNotBegun, fmt.Sprintf("not begun: %v", why)
	return res
}

func byLine(items func(func(*item) bool)) []*item {
	return slices.SortedFunc(items, func(a, b *item) int { return cmp.Compare(a.row.line, b.row.line) })
}

// isTransient reports whether a connection or stream may succeed the next time.
func isTransient(err error) bool {
	if errors.As(err, new(*client.UnreachableError)) || errors.Is(err, errNoResponse) {
		return true
	}
	st, ok := status.FromError(err)
	if !ok {
		return false
	}
	switch st.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unknown, codes.Internal, codes.Aborted, codes.ResourceExhausted:
		return true
	}
	return false
}

// describeFailure returns an error for people, without gRPC's decoration and words.
func describeFailure(err error) error {
	if st, ok := status.FromError(err); ok {
		if st.Code() == codes.Unavailable && len(st.Details()) == 0 {
			return errors.New("the connection to digate was lost")
		}
		return fmt.Errorf("%s: %s", st.Code(), term.Printable(st.Message()))
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
