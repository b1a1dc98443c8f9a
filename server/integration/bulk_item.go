package integration

import (
	"context"
	"errors"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/deadline"
	"github.com/digate/digate/server/exchange"
)

// bulkItem is a requested copy, or the error of its request.
type bulkItem struct {
	req   *integrationv1.CopyTemplateRequest
	wrong error
}

// bulkCopy is an item whose copy is in progress.
type bulkCopy struct {
	bulkItem

	run     *bulkRun
	ctx     context.Context
	ex      *exchange.Exchange
	limit   deadline.Context
	ends    time.Time // when its time is over
	carrier copies.Runner
	// observed ends the observation of the copy. admitted, which may be nil, is called
	// with its result.
	observed func(*exchange.Exchange, error)
	admitted func(context.Context, error)
}

// copy makes one copy and sends its result. If the time of the copy is over or the stream
// ends, and the copy continues, another goroutine sends the result and calls leave. copy
// then returns true.
func (b *bulkRun) copy(ctx context.Context, item bulkItem, leave func()) (left bool) {
	c := &bulkCopy{bulkItem: item, run: b, ends: time.Now().Add(b.cfg.ItemTimeout)}
	c.carrier.OnDetached = func(err error) {
		c.finish(nil, false, err)
		leave()
	}
	c.limit.Set(ctx, c.ends)
	defer c.limit.End()
	b.underWay.add(c)
	defer b.underWay.remove(c)
	ctx, c.observed = b.service.observer.Start(&c.limit, exchange.Operation{
		Kind: exchange.BulkItem, Method: integrationv1.IntegrationService_CopyTemplate_FullMethodName, Request: item.req,
	})
	c.ctx, c.ex = exchange.NewContext(ctx)
	in, replayed, err := c.make()
	if errors.Is(err, copies.ErrDetached) {
		return true
	}
	c.finish(in, replayed, err)
	return false
}

// make makes the copy, unless its request is invalid or the copy is not admitted.
func (c *bulkCopy) make() (in *integrationv1.Integration, replayed bool, err error) {
	if c.wrong != nil {
		return nil, false, c.wrong
	}
	s := c.run.service
	if s.admit != nil {
		if c.admitted, err = s.admit(c.ctx, c.req); err != nil {
			return nil, false, err
		}
	}
	return s.copies.RunCopyTemplate(c.ctx, c.req, s.before(c.req, &c.run.templates), &c.carrier)
}

// finish counts the result of the copy and sends it.
func (c *bulkCopy) finish(in *integrationv1.Integration, replayed bool, err error) {
	defer c.run.items.done()
	c.ex.Replayed = c.ex.Replayed || replayed
	if c.admitted != nil {
		c.admitted(c.ctx, err)
	}
	c.observed(c.ex, err)
	resp := &integrationv1.BulkCopyTemplateResponse{RequestId: c.req.GetRequestId()}
	if err != nil {
		e := apierror.FromError(err)
		resp.Outcome = &integrationv1.BulkCopyTemplateResponse_Error{Error: e.GRPCStatus().Proto()}
		c.run.count(e.Outcome, false)
	} else {
		resp.Replayed = replayed
		resp.Outcome = &integrationv1.BulkCopyTemplateResponse_Integration{Integration: in}
		c.run.count(exchange.Done, replayed)
	}
	c.run.send(resp)
}

// count adds a result to the summary.
func (b *bulkRun) count(o exchange.Outcome, replayed bool) {
	b.counting.Lock()
	defer b.counting.Unlock()
	switch o {
	case exchange.Done:
		b.summary.Done++
		if replayed {
			b.summary.Replayed++
		}
	case exchange.NotSent:
		b.summary.NotSent++
	case exchange.Rejected:
		b.summary.Rejected++
	default:
		b.summary.Unknown++
	}
}

// send sends a result, and returns when the stream has accepted it.
func (b *bulkRun) send(resp *integrationv1.BulkCopyTemplateResponse) {
	b.move()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stream.Send(resp) == nil { // otherwise the stream has ended, and Recv returns why
		b.move()
	}
}
