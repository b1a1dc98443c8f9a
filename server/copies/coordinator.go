// Package copies sends calls that create something to Diga at most once. A call with a
// request id is claimed in the ledger before it is sent, and its result is recorded
// afterwards. A repeated call with the same id returns what the first call created,
// whichever replica it reaches.
//
// A flight is a call in progress that callers in this process may share, and an attempt
// is the work of one flight. A call is in doubt if it was sent and nobody knows whether
// it created anything. Such a call is not sent again until the doubt is settled: by a
// person, by a caller, or by [Marks].
package copies

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

const (
	// ledgerTimeout is the time limit of one ledger operation.
	ledgerTimeout = 5 * time.Second
	// recordTimeout is the time limit of the attempts to record a result. After it, the
	// lease expires and the call is in doubt.
	recordTimeout = 30 * time.Second
	// lastTry is the time limit of an attempt to record a result after Close.
	lastTry = 10 * time.Millisecond
	// firstPoll and lastPoll are the shortest and the longest interval between two checks
	// of another replica's claim, or between two attempts to record a result.
	firstPoll = 10 * time.Millisecond
	lastPoll  = 500 * time.Millisecond
	// maxClaims is how often a call claims its key if it loses the claim again and again.
	maxClaims = 3
)

// Upstream sends a call to Diga, as [upstream.Client.Call] does. Its errors have a gRPC
// status.
type Upstream interface {
	Call(ctx context.Context, call upstream.Call) error
}

// Ledger stores the records; see [ledger.Store].
type Ledger interface {
	Claim(ctx context.Context, c ledger.Claim) (r ledger.Record, mine bool, err error)
	Renew(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error
	MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error
	MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, integrationID string) error
	MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error
	Release(ctx context.Context, key ledger.Digest, token ledger.Token) error
	Named(ctx context.Context, createdIDs []string) ([]string, error)
}

// Observer observes each call to Diga that continues without its caller. It must be safe
// for concurrent use.
type Observer interface {
	// Start begins to observe an operation, and returns the context for it. The
	// coordinator calls end once, with the operation's exchange and error.
	Start(ctx context.Context, op exchange.Operation) (_ context.Context, end func(*exchange.Exchange, error))
}

// Config is the configuration of a coordinator.
type Config struct {
	Upstream Upstream
	Ledger   Ledger
	// Key returns the ledger key for a method and a request id of the caller in the
	// context.
	Key func(ctx context.Context, m Method, requestID string) (ledger.Digest, error)
	// Caller returns the number of the caller in the context, for the claim.
	Caller func(context.Context) uint64
	// LedgerOf, if set, returns the ledger for the call with the key, instead of Ledger.
	LedgerOf func(ctx context.Context, m Method, requestID string, key ledger.Digest) (Ledger, error)
	// Fingerprint returns the keyed digest of a request.
	Fingerprint func(request []byte) ledger.Digest
	// Timeout is the time limit of a call that was sent, whose caller may have
	// disconnected.
	Timeout time.Duration
	// Lease is how long a claim stays valid after its owner has died.
	Lease time.Duration
	// Marks settles doubts. If nil, doubts are not settled automatically.
	Marks    *Marks
	Observer Observer
	Log      *slog.Logger
}

// Coordinator sends each call with a request id at most once. It is safe for concurrent
// use.
type Coordinator struct {
	cfg     Config
	flights flights
	leases  *leases
	timers  sync.Pool // of *time.Timer, reused by waiting callers
	// closed ends with Close. After that, no attempt to record a result continues without
	// a caller.
	closed context.Context
	close  context.CancelFunc
}

// New returns a coordinator.
func New(cfg Config) (*Coordinator, error) {
	if cfg.Upstream == nil || cfg.Ledger == nil || cfg.Key == nil || cfg.Caller == nil || cfg.Fingerprint == nil || cfg.Observer == nil || cfg.Log == nil {
		return nil, errors.New("copies: the configuration is incomplete")
	}
	closed, end := context.WithCancel(context.Background())
	return &Coordinator{
		cfg: cfg, closed: closed, close: end,
		flights: flights{byKey: make(map[ledger.Digest]*flight)},
		leases: newLeases(closed, cfg.Lease, func(ctx context.Context, a *attempt) error {
			return a.ledger.Renew(ctx, a.key, a.token, cfg.Lease)
		}),
	}, nil
}

// Close stops the attempts to record the results of calls without a caller. If a result
// cannot be recorded at once, the lease expires and the call is in doubt.
func (c *Coordinator) Close() { c.close() }

// Wait returns when no call is left that may run without its caller, or when ctx ends. No
// call may begin during Wait.
func (c *Coordinator) Wait(ctx context.Context) { c.flights.wait(ctx) }

// Before has the steps that run before a copy is sent. They are skipped if an earlier
// call has sent the copy. If a step fails, the copy is refused with its error, which must
// have the outcome NOT_SENT.
type Before struct {
	// Check returns an error if the copy should not be sent. It may be nil.
	Check func(context.Context) error
	// TemplateName returns the name of the template. It is called only with [Marks] and
	// for a copy without a name, and may be nil without Marks.
	TemplateName func(context.Context) (string, error)
}

// CopyTemplate copies the template once for the request id and returns the integration.
// It reports whether another call created it.
func (c *Coordinator) CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest, before Before) (_ *integrationv1.Integration, replayed bool, _ error) {
	return once[*integrationv1.Integration](ctx, c, copyTemplate{req, before})
}

// CreateIntegration creates the integration once for the request id and returns it. It
// reports whether another call created it.
func (c *Coordinator) CreateIntegration(ctx context.Context, req *integrationv1.CreateIntegrationRequest) (_ *integrationv1.Integration, replayed bool, _ error) {
	return once[*integrationv1.Integration](ctx, c, createIntegration{req})
}

// CreateTool creates the tool once for the request id and returns it. It reports whether
// another call created it.
func (c *Coordinator) CreateTool(ctx context.Context, req *integrationv1.CreateToolRequest) (_ *integrationv1.Tool, replayed bool, _ error) {
	return once[*integrationv1.Tool](ctx, c, createTool{req})
}

// once makes the call at most once and returns the created resource. It reports whether
// another call created it.
func once[M proto.Message](ctx context.Context, c *Coordinator, call create) (_ M, replayed bool, _ error) {
	f, mine, err := c.flightOf(ctx, call, nil)
	if err != nil {
		return *new(M), false, err
	}
	return resultOf[M](ctx, f, mine)
}

// resultOf returns the resource that a finished flight created, and reports whether
// another call created it.
func resultOf[M proto.Message](ctx context.Context, f *flight, mine bool) (_ M, replayed bool, _ error) {
	if ex := exchange.FromContext(ctx); ex != nil {
		share(ex, f.ex, mine)
	}
	if f.err != nil {
		return *new(M), false, f.err
	}
	return f.created.message.(M), f.replayed || !mine, nil
}

// flightOf returns the finished flight of the call, and reports whether this call began
// it. If by is not nil, a new flight runs on the calling goroutine, and otherwise on a
// goroutine of its own.
func (c *Coordinator) flightOf(ctx context.Context, call create, by *Runner) (_ *flight, mine bool, _ error) {
	key, err := c.cfg.Key(ctx, call.method(), call.request().GetRequestId())
	if err != nil {
		return nil, false, err
	}
	keeps := c.cfg.Ledger
	if c.cfg.LedgerOf != nil {
		if keeps, err = c.cfg.LedgerOf(ctx, call.method(), call.request().GetRequestId(), key); err != nil {
			return nil, false, err
		}
	}
	fingerprint, err := c.fingerprint(call)
	if err != nil {
		return nil, false, apierror.Internal(err, exchange.NotSent)
	}
	record := key.RecordName()
	if ex := exchange.FromContext(ctx); ex != nil {
		ex.LedgerRecord = record
	}
	w := waiting{ctx: ctx}
	if by == nil {
		w.setTimer(&c.timers)
	}
	defer w.end(&c.timers)
	for claims := 1; ; claims++ {
		if err := ctx.Err(); err != nil {
			return nil, false, apierror.NotBegun(err)
		}
		f, mine := c.flights.join(key, fingerprint)
		if mine {
			f.attempt = attempt{coordinator: c, flight: f, create: call, key: key, ledger: keeps}
		} else if f.fingerprint != fingerprint {
			return nil, false, requestIDReused()
		}
		switch {
		case mine && by != nil:
			by.run(ctx, c, f, record)
		case mine:
			go c.do(ctx, &f.attempt, record)
			err = w.await(f, true)
		default:
			err = w.awaitOther(f)
		}
		if err != nil {
			return nil, false, err
		}
		if !mine && (f.abandoned || f.refused && call.check() == nil) || f.lost && claims < maxClaims {
			continue
		}
		return f, mine, nil
	}
}

// share copies a flight's exchange into that of a call. A call that only waited for the
// flight has no attempts of its own.
func share(to, from *exchange.Exchange, mine bool) {
	attempts, id := to.Attempts, to.XRequestID
	*to = *from
	to.XRequestID = id
	if !mine {
		to.Attempts, to.AuditNumber = attempts, 0
	}
}

// requestIDReused returns the error of a request id that was used for another request.
func requestIDReused() error {
	return apierror.InvalidRequest(apierror.Violation{
		Field: "request_id", Description: "was used for another request", Reason: "REQUEST_ID_REUSED",
	})
}
