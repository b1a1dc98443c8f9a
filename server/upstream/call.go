package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/deadline"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/prefer"
	"github.com/digate/digate/server/secret"
	"github.com/digate/digate/server/upstream/admission"
	"github.com/digate/digate/server/upstream/wire"
)

// call is the state of one call and its attempts.
type call struct {
	Call
	client *Client
	rule   *rule
	ex     *exchange.Exchange
	token  secret.String
	// account identifies the account that the token belongs to, and caller the user of
	// the account.
	account, caller string
	// latest is when the call ends, whatever its contexts say. Zero means no limit.
	latest time.Time
	// began is when the call began, and patience for how long after that the caller
	// accepts waits before an exchange. Both are zero if the caller did not say.
	began    time.Time
	patience time.Duration
	// limit is the time limit of the call. cancels release the other contexts that were
	// created for the call.
	limit   deadline.Context
	cancels []context.CancelFunc
	sent    int // number of exchanges that were begun
}

// run makes attempts until one succeeds or none may follow.
func (c *call) run(ctx context.Context) error {
	if c.client.maxTimeout > 0 {
		c.latest = time.Now().Add(c.client.maxTimeout)
	}
	defer c.release()
	if wait, ok := prefer.FromContext(ctx); ok {
		c.began, c.patience = time.Now(), wait
	}
	ctx, err := c.budget(ctx)
	if err != nil {
		return err
	}
	if before := c.client.beforeWrite; before != nil && c.rule.write {
		if err := before(ctx, c.Method, c.Request); err != nil {
			return err
		}
	}
	c.client.retry.budget.earn()
	var last *apierror.Error // the error of the previous attempt
	for {
		attempts := len(c.ex.Attempts)
		ctx, err = c.attempt(ctx)
		if err == nil {
			return nil
		}
		e, ok := errors.AsType[*apierror.Error](err)
		if !ok {
			e = apierror.Internal(err, exchange.NotSent)
		}
		if len(c.ex.Attempts) == attempts && last != nil {
			return last // a refusal by digate adds nothing to Diga's response
		}
		if !c.client.retry.next(ctx, e, c.rule.write, len(c.ex.Attempts), c.client.minTime, c.maxWait()) {
			return e
		}
		last = e
		proto.Reset(c.Response)
		c.ex.Status, c.ex.Body, c.ex.Drift = 0, nil, nil
	}
}

// attempt makes one HTTP exchange, unless digate refuses to send it. It returns the
// context under which the call continues: that of BeforeSend, once BeforeSend has run.
func (c *call) attempt(ctx context.Context) (context.Context, error) {
	req, err := c.client.newRequest(c.rule, c.token.Reveal(), c.Request)
	if err != nil {
		return ctx, err
	}
	ticket, err := c.client.admission.Enter(ctx, admission.Request{
		Account: c.account, Caller: c.caller, Size: int64(len(req.Body)), Recorded: c.BeforeSend != nil, MaxWait: c.maxWait(),
	})
	if err != nil {
		return ctx, err
	}
	var result admission.Result
	defer func() { ticket.Leave(result) }()
	if err := c.client.checkTime(ctx); err != nil {
		return ctx, err
	}
	if c.BeforeSend != nil {
		sending, err := c.BeforeSend()
		if err != nil {
			return ctx, err
		}
		ctx = c.limited(sending)
	}
	if err := ticket.Send(ctx); err != nil {
		return ctx, err
	}
	if c.BeforeSend != nil {
		if err := c.client.checkTime(ctx); err != nil {
			return ctx, err
		}
	}
	within, span := c.startSpan(ctx, &req)
	result, err = c.exchange(within, &req)
	c.endSpan(span, err)
	return ctx, err
}

// maxWait returns how long the caller still accepts to wait before an exchange, or 0 if
// it did not say.
func (c *call) maxWait() time.Duration {
	if c.began.IsZero() {
		return 0
	}
	return max(c.patience-time.Since(c.began), 1)
}

// exchange makes the HTTP exchange. It returns what the exchange shows about the state of
// the upstream, and the call's error.
func (c *call) exchange(ctx context.Context, req *wire.Request) (admission.Result, error) {
	track := wire.NewTracker()
	defer track.Done()
	c.ex.Attempts = append(c.ex.Attempts, exchange.Attempt{Outcome: exchange.Unknown})
	attempt := &c.ex.Attempts[len(c.ex.Attempts)-1]
	began := time.Now()
	httpResp, err := c.client.roundTrip(ctx, req, track)
	if err != nil {
		attempt.Duration = time.Since(began)
		return c.client.noResponseResult(ctx, attempt.Duration), c.conclude(attempt, noResponse(ctx, c.rule, err, track))
	}
	if track.Stale() {
		attempt.Duration = time.Since(began)
		_ = httpResp.Body.Close()
		return admission.Result{Evidence: admission.NoResponse, Took: attempt.Duration},
			c.conclude(attempt, apierror.ResponseLost(errStale, c.rule.write))
	}
	body, readErr := readBody(httpResp, c.client.maxResponse)
	attempt.Duration = time.Since(began)
	attempt.Status = httpResp.StatusCode
	c.ex.Status, c.ex.Body = httpResp.StatusCode, body
	result := admission.Result{Evidence: evidenceOf(httpResp.StatusCode), Took: attempt.Duration}
	if isIncomplete(readErr) && result.Evidence != admission.RateLimited { // a rate-limited status is conclusive without the body
		result = c.client.noResponseResult(ctx, attempt.Duration)
	}
	done := httpResp.StatusCode/100 == 2 && c.rule.decode(c.ex, body, readErr, c.Response)
	c.ex.Drift = redactNames(c.ex.Drift, c.token.Reveal(), c.Request)
	if done {
		if c.client.strict && !c.rule.write && deviates(c.ex.Drift) {
			return result, c.conclude(attempt, apierror.Drifted(c.ex.Drift))
		}
		attempt.Outcome = exchange.Done
		return result, nil
	}
	e := apierror.FromResponse(apierror.Response{
		Status: httpResp.StatusCode, Header: httpResp.Header, Body: body, ReadErr: cutShort(ctx, readErr),
	}, c.rule.write, redactor(c.token.Reveal(), c.Request))
	if result.Evidence == admission.NoResponse && httpResp.StatusCode == http.StatusServiceUnavailable && e.Outcome == exchange.Rejected {
		result.Evidence = admission.Overloaded // Diga's own 503, in its envelope
	}
	if e.Invited() {
		result.RetryAfter = *e.RetryAfter
	}
	return result, c.conclude(attempt, e)
}

// deviates reports whether a response deviates from the contract.
func deviates(drift []exchange.Drift) bool {
	return slices.ContainsFunc(drift, func(d exchange.Drift) bool { return !d.Kept })
}

// evidenceOf returns what a status shows about the state of the upstream. It assumes that a
// 503 comes from a gateway.
func evidenceOf(status int) admission.Evidence {
	switch status {
	case http.StatusUnauthorized:
		return admission.Denied
	case http.StatusTooManyRequests:
		return admission.RateLimited
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return admission.NoResponse
	}
	if status >= 500 {
		return admission.Failed
	}
	return admission.Served
}

// conclude records the outcome of an attempt, and returns its error.
func (c *call) conclude(a *exchange.Attempt, e *apierror.Error) error {
	a.Outcome = e.Outcome
	return e
}

// noResponseResult returns the result of an exchange that ended without a response. An exchange
// that the caller ended shows nothing about the upstream, except in two cases: the
// upstream had all the time that digate allows, or a deadline ended the exchange after
// half of that time. Half is enough because a call without a deadline has less than all
// of that time if it waited before it was sent.
func (c *Client) noResponseResult(ctx context.Context, took time.Duration) admission.Result {
	switch cause := ctx.Err(); {
	case cause == nil, took >= c.timeout-c.timeout/reserveShare:
		return admission.Result{Evidence: admission.NoResponse, Took: took}
	case errors.Is(cause, context.DeadlineExceeded) && took >= c.timeout/2:
		return admission.Result{Evidence: admission.Late, Took: took}
	default:
		return admission.Result{}
	}
}

func (c *Client) newCall(ctx context.Context, ex *exchange.Exchange, spec Call) (*call, error) {
	r := c.rules[spec.Method]
	if r == nil {
		return nil, apierror.Internal(fmt.Errorf("no rule for %s", spec.Method), exchange.NotSent)
	}
	by, err := c.credential(ctx)
	if err != nil {
		return nil, err
	}
	return &call{Call: spec, client: c, rule: r, ex: ex, token: by.Token, account: by.Account, caller: by.Caller}, nil
}
