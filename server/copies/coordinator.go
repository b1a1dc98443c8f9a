// Package copies carries calls that create something to Diga at most once. A
// call with a request id is claimed in the ledger before it is sent and recorded
// after it, so that the same call under the same id returns what the first one
// created, whichever replica it reaches.
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
	// ledgerTimeout bounds one call to the ledger.
	ledgerTimeout = 5 * time.Second
	// recordTimeout bounds the attempts to record how a call ended. After it the
	// record's lease runs out, and the call is in doubt.
	recordTimeout = 30 * time.Second
	// lastTry bounds the attempt to record how a call ended that ends after Close.
	lastTry = 10 * time.Millisecond
	// firstPoll and lastPoll are the shortest and the longest wait between two
	// looks at a claim of another replica, or between two attempts to record.
	firstPoll = 10 * time.Millisecond
	lastPoll  = 500 * time.Millisecond
	// maxClaims is how often a call claims its key when it keeps losing it.
	maxClaims = 3
)

// Upstream sends a call to Diga as [upstream.Client.Call] does. A failure is an
// error that knows its gRPC status.
type Upstream interface {
	Call(ctx context.Context, call upstream.Call) error
}

// Ledger keeps the records: see [ledger.Store].
type Ledger interface {
	Claim(ctx context.Context, c ledger.Claim) (r ledger.Record, mine bool, err error)
	Renew(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error
	MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error
	MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, integrationID string) error
	MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error
	Release(ctx context.Context, key ledger.Digest, token ledger.Token) error
	Named(ctx context.Context, createdIDs []string) ([]string, error)
}

// Observer observes each call to Diga that continued after its caller had left. It
// may be used by many goroutines.
type Observer interface {
	// Start begins the observation of an operation, which runs under the returned
	// context. The caller ends the observation once, with the operation's exchange
	// and error.
	Start(ctx context.Context, op exchange.Operation) (_ context.Context, end func(*exchange.Exchange, error))
}

// Config is what a coordinator needs.
type Config struct {
	Upstream Upstream
	Ledger   Ledger
	// Key returns the ledger's key for a method and a request id of the context's
	// caller.
	Key func(ctx context.Context, m Method, requestID string) (ledger.Digest, error)
	// Caller returns what tells the context's caller from others, as a claim has it.
	Caller func(context.Context) uint64
	// LedgerOf, if set, returns what keeps the record of the call that has the key, in
	// place of Ledger.
	LedgerOf func(ctx context.Context, m Method, requestID string, key ledger.Digest) (Ledger, error)
	// Fingerprint returns the keyed digest of a request.
	Fingerprint func(request []byte) ledger.Digest
	// Timeout bounds a call that was sent and whose caller may be gone.
	Timeout time.Duration
	// Lease is how long a claim lasts after its owner died.
	Lease time.Duration
	// Marks settles doubts; nil if nothing does.
	Marks    *Marks
	Observer Observer
	Log      *slog.Logger
}

// Coordinator sends each call with a request id at most once. It may be used by
// many goroutines.
type Coordinator struct {
	cfg     Config
	flights flights
	leases  *leases
	timers  sync.Pool // of *time.Timer, for callers that wait one after the other
	// closed ends with Close: no attempt to record continues without a caller.
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

// Close stops the attempts to record calls without a caller. Where the outcome
// cannot be recorded at once, the lease of the record runs out, and the call is
// in doubt.
func (c *Coordinator) Close() { c.close() }

// Wait returns when no call is under way whose caller may have left, or when ctx
// ends. No call may begin meanwhile.
func (c *Coordinator) Wait(ctx context.Context) { c.flights.wait(ctx) }

// Before are the steps before a copy is sent. A copy that an earlier call sent does
// without them. An error of a step refuses the copy, and must be one of a call that
// was not sent.
type Before struct {
	// Check returns the error of a copy that should not be sent. It may be nil.
	Check func(context.Context) error
	// TemplateName returns the name of the template. It is called with [Marks] alone,
	// for a copy without a name, and may be nil without them.
	TemplateName func(context.Context) (string, error)
}

// CopyTemplate returns the integration of the request's id, and reports whether
// another call created it.
func (c *Coordinator) CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest, before Before) (_ *integrationv1.Integration, replayed bool, _ error) {
	return once[*integrationv1.Integration](ctx, c, copyTemplate{req, before})
}

// CreateIntegration returns the integration of the request's id, and reports
// whether another call created it.
func (c *Coordinator) CreateIntegration(ctx context.Context, req *integrationv1.CreateIntegrationRequest) (_ *integrationv1.Integration, replayed bool, _ error) {
	return once[*integrationv1.Integration](ctx, c, createIntegration{req})
}

// CreateTool returns the tool of the request's id, and reports whether another call
// created it.
func (c *Coordinator) CreateTool(ctx context.Context, req *integrationv1.CreateToolRequest) (_ *integrationv1.Tool, replayed bool, _ error) {
	return once[*integrationv1.Tool](ctx, c, createTool{req})
}

// once returns what the call created as the message that it is.
func once[M proto.Message](ctx context.Context, c *Coordinator, call create) (_ M, replayed bool, _ error) {
	f, mine, err := c.flightOf(ctx, call, nil)
	if err != nil {
		return *new(M), false, err
	}
	return resultOf[M](ctx, f, mine)
}

// resultOf returns what a flight that is done created, as the message that it is, and
// reports whether another call created it.
func resultOf[M proto.Message](ctx context.Context, f *flight, mine bool) (_ M, replayed bool, _ error) {
	if ex := exchange.FromContext(ctx); ex != nil {
		share(ex, f.ex, mine)
	}
	if f.err != nil {
		return *new(M), false, f.err
	}
	return f.created.message.(M), f.replayed || !mine, nil
}

// flightOf returns the flight of the call once it is done, and reports whether it is the
// call's own. If there is a carrier, that carries it; else a goroutine of its own does.
func (c *Coordinator) flightOf(ctx context.Context, call create, by *Carrier) (_ *flight, mine bool, _ error) {
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
		w.setLate(&c.timers)
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
			return nil, false, reused()
		}
		switch {
		case mine && by != nil:
			by.carry(ctx, c, f, record)
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

// share copies a flight's exchange into a call's own. A call that only waited
// made no attempts, and began nothing.
func share(to, from *exchange.Exchange, mine bool) {
	attempts, id := to.Attempts, to.XRequestID
	*to = *from
	to.XRequestID = id
	if !mine {
		to.Attempts, to.AuditNumber = attempts, 0
	}
}

// reused returns the error for a request id that was used for another request.
func reused() error {
	return apierror.InvalidRequest(apierror.Violation{
		Field: "request_id", Description: "was used for another request", Reason: "REQUEST_ID_REUSED",
	})
}
