package integration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

const (
	// ledgerTimeout bounds one question to the ledger.
	ledgerTimeout = 5 * time.Second
	// settleTimeout bounds the attempts to record what a copy came to. After it
	// the record's lease runs out, and it is in doubt.
	settleTimeout = 30 * time.Second
	// How often another replica's copy is looked at, at first and at last.
	firstPoll = 10 * time.Millisecond
	lastPoll  = 500 * time.Millisecond
	// maxClaims bounds how often a call claims its key anew because it lost it.
	maxClaims = 3
)

// copies sends each copy with a request id at most once.
type copies struct {
	upstream    Upstream
	ledger      Ledger
	key         func(ctx context.Context, requestID string) (ledger.Digest, error)
	fingerprint func(parts ...[]byte) ledger.Digest
	timeout     time.Duration
	lease       time.Duration
	ended       func(ctx context.Context, what string, ex *exchange.Exchange, err error)
	log         *slog.Logger
	flights     flights
	// closed ends when nobody waits any more for what callers left behind.
	closed context.Context
	close  context.CancelFunc
}

func newCopies(cfg Config) *copies {
	closed, end := context.WithCancel(context.Background())
	return &copies{
		closed: closed, close: end,
		upstream: cfg.Upstream, ledger: cfg.Ledger, key: cfg.Key, fingerprint: cfg.Fingerprint,
		timeout: cfg.Timeout, lease: cfg.Lease, ended: cfg.Ended, log: cfg.Log,
		flights: flights{by: make(map[ledger.Digest]*flight)},
	}
}

func (c *copies) wait(ctx context.Context) { c.flights.wait(ctx) }

// apart is the context without its caller's end. It ends after the timeout, and
// when the copies are closed.
func (c *copies) apart(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	stop := context.AfterFunc(c.closed, cancel)
	return ctx, func() { stop(); cancel() }
}

// once returns the integration that the request's id stands for, and whether
// another call made it.
func (c *copies) once(ctx context.Context, req *integrationv1.CopyTemplateRequest) (_ *integrationv1.Integration, replayed bool, _ error) {
	key, err := c.key(ctx, req.GetRequestId())
	if err != nil {
		return nil, false, err
	}
	fingerprint, err := c.digest(req)
	if err != nil {
		return nil, false, apierror.Internal(err, exchange.NotSent)
	}
	wait, cancel := inTime(ctx)
	defer cancel()
	for claims := 1; ; claims++ {
		if err := ctx.Err(); err != nil {
			return nil, false, apierror.NotBegun(err)
		}
		f, mine := c.flights.join(key, fingerprint)
		if mine {
			go c.fly(ctx, f, key, req)
		} else if f.fingerprint != fingerprint {
			return nil, false, reused()
		}
		if err := c.await(wait, f, mine); err != nil {
			return nil, false, err
		}
		if f.abandoned && !mine || f.lost && claims < maxClaims {
			continue
		}
		replayed = f.replayed || !mine
		if ex := exchange.FromContext(ctx); ex != nil {
			share(ex, f.ex, mine)
		}
		if f.err != nil {
			return nil, false, f.err
		}
		return f.integration, replayed, nil
	}
}

// inTime is the context with a little of its time kept back, so that the caller
// hears from here and not from its own deadline.
func inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Until(deadline)/20, 50*time.Millisecond)))
}

// await waits until the flight is done. Its own caller waits for that even when
// its time is over, as long as nothing was sent: the flight ends by itself then,
// with its verdict.
func (c *copies) await(ctx context.Context, f *flight, mine bool) error {
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
	}
	if mine {
		select {
		case <-f.done:
			return nil
		case <-f.sent:
		}
	}
	select {
	case <-f.done: // both at once: the verdict counts
		return nil
	default:
		return apierror.StillUnderWay(ctx.Err())
	}
}

// share makes the flight's exchange the call's own. Who only waited made no
// attempts.
func share(to, from *exchange.Exchange, mine bool) {
	attempts := to.Attempts
	*to = *from
	if !mine {
		to.Attempts = attempts
	}
}

// reused is a request id that stands for another request.
func reused() error {
	return apierror.InvalidRequest(apierror.Violation{
		Field: "request_id", Description: "was used for another request", Reason: "REQUEST_ID_REUSED",
	})
}

// digest is the fingerprint of the request without its id.
func (c *copies) digest(req *integrationv1.CopyTemplateRequest) (ledger.Digest, error) {
	bare := &integrationv1.CopyTemplateRequest{
		TemplateId: req.TemplateId, Name: req.Name, ApiKey: req.ApiKey, BaseUrl: req.BaseUrl, Variables: req.Variables,
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(bare)
	if err != nil {
		return ledger.Digest{}, err
	}
	return c.fingerprint(b), nil
}

// fly brings a flight to its end. The context is its caller's, and counts until
// something is sent.
func (c *copies) fly(ctx context.Context, f *flight, key ledger.Digest, req *integrationv1.CopyTemplateRequest) {
	defer c.flights.wg.Done()
	caller := ctx
	ctx, f.ex = exchange.NewContext(ctx)
	// wait is what the ledger may take of the caller's time.
	wait, cancel := inTime(ctx)
	defer cancel()
	settle, after := c.try(ctx, wait, f, key, req)
	if f.err != nil {
		f.ex.Outcome = apierror.FromError(f.err).Outcome
	}
	f.abandoned = f.err != nil && !isSent(f) && (caller.Err() != nil || outOfTime(f.err))
	left := caller.Err() != nil && isSent(f)
	// The record comes before the answer, so that whoever asks again after it
	// finds it. Where the ledger is away, the answer waits for half of the time that
	// its caller still has.
	timeout := ledgerTimeout
	if deadline, ok := wait.Deadline(); ok && caller.Err() == nil {
		timeout = min(timeout, time.Until(deadline)/2)
	}
	first, end := c.apart(ctx, timeout)
	err := settle(first)
	end()
	c.flights.land(key, f)
	if left {
		c.ended(ctx, "left by its caller", f.ex, f.err)
	}
	if err != nil {
		c.insist(ctx, settle, err)
	}
	after()
}

// try claims the key and sends the copy, or finds what became of it before. What
// is to be recorded is returned, and what is to be done when that was answered.
func (c *copies) try(ctx, wait context.Context, f *flight, key ledger.Digest, req *integrationv1.CopyTemplateRequest) (settle func(context.Context) error, after func()) {
	settle, after = func(context.Context) error { return nil }, func() {}
	defer func() {
		if p := recover(); p != nil {
			// The record is left to its lease.
			f.err = c.panicked(ctx, f, p)
		}
	}()
	token := ledger.NewToken()
	r, mine, err := c.claim(wait, ledger.Claim{
		Key: key, Fingerprint: f.fingerprint, TemplateID: req.GetTemplateId(), Token: token, Lease: c.lease,
	})
	switch {
	case err != nil:
		f.err = err
		if r.Key != key { // no record was seen: the claim may have been made all the same
			after = func() { c.free(ctx, key, token) }
		}
	case mine:
		settle = c.send(ctx, wait, f, key, token, req)
	case r.State == ledger.Done:
		f.integration, f.err = c.replay(ctx, f.ex, r.IntegrationID)
		f.replayed = true
	default:
		f.err = apierror.InDoubt(c.candidates(ctx, r))
	}
	return settle, after
}

// panicked is a flight that ended in a panic, which is logged by its type alone,
// since its value may quote anything.
func (c *copies) panicked(ctx context.Context, f *flight, p any) error {
	c.log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("type", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
	outcome := exchange.NotSent
	if isSent(f) {
		outcome = exchange.Unknown
	}
	return apierror.Internal(fmt.Errorf("panic of type %T", p), outcome)
}

// outOfTime says whether a failure, or what it is because of, is that a caller
// had no time left: another caller may have.
func outOfTime(err error) bool {
	for e, ok := errors.AsType[*apierror.Error](err); ok; e, ok = errors.AsType[*apierror.Error](e.Unwrap()) {
		if e.Code == codes.DeadlineExceeded || e.Code == codes.Canceled {
			return true
		}
	}
	return false
}

func isSent(f *flight) bool {
	select {
	case <-f.sent:
		return true
	default:
		return false
	}
}

// claim gets the key for this call, or the record of one that is done or in
// doubt. It waits while another replica is at it.
func (c *copies) claim(ctx context.Context, claim ledger.Claim) (ledger.Record, bool, error) {
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		bounded, cancel := context.WithTimeout(ctx, ledgerTimeout)
		r, mine, err := c.ledger.Claim(bounded, claim)
		cancel()
		switch {
		case err != nil && ctx.Err() != nil:
			return r, false, apierror.NotBegun(ctx.Err())
		case err != nil:
			return r, false, apierror.LedgerUnavailable(err)
		case mine:
			return r, true, nil
		case r.Fingerprint != claim.Fingerprint:
			return r, false, reused()
		case r.State == ledger.Done || r.State == ledger.Unknown:
			return r, false, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return r, false, apierror.StillUnderWay(ctx.Err())
		}
	}
}

// send makes the copy and returns what is to be recorded of it.
func (c *copies) send(ctx, wait context.Context, f *flight, key ledger.Digest, token ledger.Token, req *integrationv1.CopyTemplateRequest) (settle func(context.Context) error) {
	stop := c.renew(ctx, key, token)
	defer stop()
	var detached context.Context // nil until something is sent
	end := func() {}
	defer func() { end() }()
	var resp integrationv1.CopyTemplateResponse
	beforeSend := func() (context.Context, error) {
		// A process that stood still meanwhile may have lost the claim: it is asked
		// for again before every exchange.
		record, until := c.ledger.MarkSending, wait
		if detached != nil {
			record, until = c.ledger.Renew, detached
		}
		bounded, cancel := context.WithTimeout(until, ledgerTimeout)
		defer cancel()
		if err := record(bounded, key, token, c.lease); err != nil {
			f.lost = detached == nil && errors.Is(err, ledger.ErrLost)
			if cause := until.Err(); cause != nil {
				return nil, apierror.NotBegun(cause)
			}
			return nil, apierror.LedgerUnavailable(err)
		}
		if detached == nil {
			close(f.sent)
			timeout := c.timeout
			if deadline, ok := ctx.Deadline(); ok {
				timeout = max(timeout, time.Until(deadline))
			}
			detached, end = c.apart(ctx, timeout)
		}
		return detached, nil
	}
	err := c.upstream.Call(ctx, upstream.Call{
		Method: integrationv1.IntegrationService_CopyTemplate_FullMethodName, Request: req, Response: &resp, BeforeSend: beforeSend,
	})
	if err == nil {
		f.integration = resp.GetIntegration()
		id := f.integration.GetId()
		return func(ctx context.Context) error {
			err := c.ledger.MarkDone(ctx, key, token, id)
			if errors.Is(err, ledger.ErrInvalid) { // no ledger can keep such an id
				return c.ledger.MarkUnknown(ctx, key, token)
			}
			return err
		}
	}
	f.err = err
	if f.lost {
		return func(context.Context) error { return nil }
	}
	switch apierror.FromError(err).Outcome {
	case exchange.NotSent, exchange.Rejected:
		return func(ctx context.Context) error { return c.ledger.Release(ctx, key, token) }
	default:
		return func(ctx context.Context) error { return c.ledger.MarkUnknown(ctx, key, token) }
	}
}

// renew keeps a claim until it is stopped.
func (c *copies) renew(ctx context.Context, key ledger.Digest, token ledger.Token) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	every := c.lease / 3
	var again func()
	again = func() {
		bounded, end := context.WithTimeout(ctx, ledgerTimeout)
		defer end()
		err := c.ledger.Renew(bounded, key, token, c.lease)
		if ctx.Err() == nil && c.closed.Err() == nil && !errors.Is(err, ledger.ErrLost) {
			time.AfterFunc(every, again)
		}
	}
	timer := time.AfterFunc(every, again)
	return func() { cancel(); timer.Stop() }
}

// free gives a claim up that may have been made.
func (c *copies) free(ctx context.Context, key ledger.Digest, token ledger.Token) {
	ctx, cancel := c.apart(ctx, ledgerTimeout)
	defer cancel()
	if err := c.ledger.Release(ctx, key, token); err != nil && !errors.Is(err, ledger.ErrLost) {
		c.log.LogAttrs(ctx, slog.LevelDebug, "a claim could not be given up; its lease will", slog.String("error", err.Error()))
	}
}

// insist records what a copy came to where that failed at first.
func (c *copies) insist(ctx context.Context, settle func(context.Context) error, err error) {
	ctx, cancel := c.apart(ctx, settleTimeout)
	defer cancel()
	for wait := firstPoll; err != nil && !errors.Is(err, ledger.ErrLost); wait = min(2*wait, lastPoll) {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			err = settle(ctx)
		case <-ctx.Done():
			timer.Stop()
			c.log.LogAttrs(ctx, slog.LevelError, "the outcome of a copy could not be recorded; it will be in doubt", slog.String("error", err.Error()))
			return
		}
	}
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "the outcome of a copy was not recorded: its record was settled or forgotten meanwhile")
	}
}

// replay reads the integration that an earlier call created.
func (c *copies) replay(ctx context.Context, ex *exchange.Exchange, id string) (*integrationv1.Integration, error) {
	inner, read := exchange.NewContext(ctx)
	var resp integrationv1.GetIntegrationResponse
	err := c.upstream.Call(inner, upstream.Call{
		Method:   integrationv1.IntegrationService_GetIntegration_FullMethodName,
		Request:  &integrationv1.GetIntegrationRequest{IntegrationId: id},
		Response: &resp,
	})
	ex.Attempts = read.Attempts
	if got := resp.GetIntegration().GetId(); err == nil && got != id {
		err = errors.New("another integration was read")
	}
	if err != nil {
		return nil, apierror.AlreadyCopied(id, err)
	}
	// The body is the vendor's; its status was that of reading, not of copying.
	ex.Outcome, ex.Body, ex.Relay, ex.Drift = exchange.Done, read.Body, read.Relay, read.Drift
	return resp.GetIntegration(), nil
}
