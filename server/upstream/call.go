package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/secret"
)

// call is one call on its way through its attempts.
type call struct {
	*Client
	rule      *rule
	ex        *exchange.Exchange
	token     secret.String
	req, resp proto.Message
	// sending is the caller's hook, or nil.
	sending func() (context.Context, error)
}

// run makes attempts until one succeeds or no other may follow.
func (c *call) run(ctx context.Context) error {
	ctx, cancel, err := c.budget(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	c.retry.budget.earn()
	var last *apierror.Error // the verdict on the attempt before
	for {
		begun := len(c.ex.Attempts)
		err := c.attempt(ctx)
		if err == nil {
			return nil
		}
		e, ok := errors.AsType[*apierror.Error](err)
		if !ok {
			e = apierror.Internal(err, exchange.NotSent)
		}
		if len(c.ex.Attempts) == begun && last != nil {
			return last // what was refused here adds nothing to what the vendor said
		}
		if !c.retry.next(ctx, e, c.rule.write, len(c.ex.Attempts), c.minTime) {
			return e
		}
		last = e
		proto.Reset(c.resp)
		c.ex.Status, c.ex.Body, c.ex.Drift = 0, nil, nil
	}
}

// attempt makes one HTTP exchange, unless something here refuses it.
func (c *call) attempt(ctx context.Context) error {
	httpReq, err := c.newRequest(c.rule, c.token.Reveal(), c.req)
	if err != nil {
		return err
	}
	if wait, open := c.breaker.refuses(); open {
		return apierror.CircuitOpen(wait)
	}
	permit, err := c.limiter.acquire(ctx, c.token.Reveal())
	if errors.Is(err, errFull) {
		return apierror.Overloaded()
	}
	if err != nil {
		return apierror.NotBegun(err)
	}
	era, wait, ok := c.breaker.begin()
	if !ok {
		permit.Drop()
		return apierror.CircuitOpen(wait)
	}
	said := silent
	defer func() {
		c.breaker.end(era, said)
		if said == alive {
			permit.Record()
		} else {
			permit.Drop() // how soon something failed says nothing of the vendor's speed
		}
	}()
	if err := c.hasTime(ctx); err != nil {
		return err
	}
	if c.sending != nil {
		if ctx, err = c.sending(); err != nil {
			return err
		}
	}
	track := newTracker()
	httpReq = httpReq.WithContext(httptrace.WithClientTrace(ctx, &track.trace))
	c.ex.Attempts = append(c.ex.Attempts, exchange.Attempt{Outcome: exchange.Unknown})
	this := &c.ex.Attempts[len(c.ex.Attempts)-1]
	began := time.Now()
	httpResp, err := c.transport.RoundTrip(httpReq)
	if err != nil {
		this.Duration = time.Since(began)
		said = c.silence(ctx, this.Duration)
		return c.verdict(this, noAnswer(ctx, c.rule, err, track))
	}
	if track.stale() {
		this.Duration = time.Since(began)
		_ = httpResp.Body.Close()
		said = failing
		return c.verdict(this, apierror.AnswerLost(errStale, c.rule.write))
	}
	body, readErr := readBody(httpResp, c.maxAnswer)
	this.Duration = time.Since(began)
	this.Status = httpResp.StatusCode
	c.ex.Status, c.ex.Body = httpResp.StatusCode, body
	switch {
	case readErr != nil && !errors.Is(readErr, errAnswerTooLarge):
		said = c.silence(ctx, this.Duration)
	case httpResp.StatusCode >= 500:
		said = failing
	default:
		said = alive
	}
	if httpResp.StatusCode/100 == 2 && c.rule.decode(c.ex, body, readErr, c.resp) {
		if c.strict && !c.rule.write && len(c.ex.Drift) > 0 {
			return c.verdict(this, apierror.Drifted(c.ex.Drift))
		}
		this.Outcome = exchange.Done
		return nil
	}
	return c.verdict(this, apierror.FromResponse(apierror.Response{
		Status: httpResp.StatusCode, Header: httpResp.Header, Body: body, ReadErr: cutShort(ctx, readErr),
	}, c.rule.write, redactor(c.token.Reveal(), c.req)))
}

// verdict notes what an attempt lets conclude.
func (c *call) verdict(a *exchange.Attempt, e *apierror.Error) error {
	a.Outcome = e.Outcome
	return e
}

// silence is what an exchange says of the vendor that ended without an answer:
// nothing, where the caller ended it, unless the vendor had all the time that
// digate itself gives.
func (c *Client) silence(ctx context.Context, took time.Duration) health {
	if ctx.Err() != nil && took < c.timeout-c.timeout/keptShare {
		return silent
	}
	return failing
}

func (c *Client) newCall(ctx context.Context, ex *exchange.Exchange, method string, req, resp proto.Message) (*call, error) {
	r := c.rules[method]
	if r == nil {
		return nil, apierror.Internal(fmt.Errorf("no rule for %s", method), exchange.NotSent)
	}
	token, err := c.credential(ctx)
	if err != nil {
		return nil, err
	}
	return &call{Client: c, rule: r, ex: ex, token: token, req: req, resp: resp}, nil
}
