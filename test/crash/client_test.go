package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
)

const (
	token = "crash-token"
	// window is how many copies a client has under way, and calls how many creates,
	// besides those that were left open by an interruption.
	window = 11
	calls  = 5
	// pauseAfterRound is how long a client waits before it goes on.
	pauseAfterRound = 100 * time.Millisecond
)

func withToken(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func dial(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableServiceConfig())
}

// client copies in bulk, and beside that it creates, several at once. After every
// interruption it continues with the same request ids.
type client struct {
	items  []item
	addr   func() string
	report *report
	order  *rand.Rand
}

// finish sends until every item has a final response.
func (c *client) finish(ctx context.Context) error {
	var last error
	copies, creates := byKind(c.items)
	for {
		bulk, owedCopies := c.report.rest(copies, c.order)
		single, owedCreates := c.report.rest(creates, c.order)
		if len(bulk)+len(single) == 0 {
			return nil
		}
		var wg sync.WaitGroup
		var streamed, called error
		if len(bulk) > 0 {
			wg.Go(func() { streamed = c.stream(ctx, bulk, window+owedCopies) })
		}
		if len(single) > 0 {
			wg.Go(func() { called = c.create(ctx, single, calls+owedCreates) })
		}
		wg.Wait()
		if err := errors.Join(streamed, called); err != nil {
			last = err
		}
		timer := time.NewTimer(pauseAfterRound)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%d items have no response: %w", len(bulk)+len(single), errors.Join(ctx.Err(), last))
		}
	}
}

// stream sends the items on one stream, at most atOnce at a time, until each has a
// response or the stream breaks.
func (c *client) stream(ctx context.Context, rest []item, atOnce int) (err error) {
	ctx, cancel := context.WithCancel(withToken(ctx))
	defer cancel()
	conn, err := dial(c.addr())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	stream, err := integrationv1.NewIntegrationServiceClient(conn).BulkCopyTemplate(ctx)
	if err != nil {
		return err
	}
	places := make(chan struct{}, atOnce)
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		for _, it := range rest {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			c.report.sent(it)
			err := stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{
				TemplateId: it.parent, Name: &it.name, RequestId: it.id,
			}})
			if err != nil {
				return // Recv returns the reason
			}
		}
		_ = stream.CloseSend()
	}()
	defer func() { cancel(); <-sending }()
	for {
		resp, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case resp.GetSummary() == nil:
			c.report.received(key{digatev1.Method_METHOD_COPY_TEMPLATE, resp.GetRequestId()}, tellingOfCopy(resp))
			<-places
		}
	}
}

// create makes the calls, at most atOnce at a time, until each has a response or
// one gets none.
func (c *client) create(ctx context.Context, rest []item, atOnce int) (err error) {
	ctx, cancel := context.WithCancelCause(withToken(ctx))
	defer cancel(nil)
	conn, err := dial(c.addr())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	next := make(chan item)
	var wg sync.WaitGroup
	for range min(atOnce, len(rest)) {
		wg.Go(func() {
			for it := range next {
				c.report.sent(it)
				created, err := createOne(ctx, conn, it)
				t, responded := tellingOfCreate(created, err)
				if !responded {
					cancel(fmt.Errorf("%s: %w", it.name, err))
					continue
				}
				c.report.received(it.key(), t)
			}
		})
	}
	for _, it := range rest {
		select {
		case next <- it:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// createOne calls the method of an item that is no copy. It returns the id of what
// was created.
func createOne(ctx context.Context, conn *grpc.ClientConn, it item) (string, error) {
	rpc := integrationv1.NewIntegrationServiceClient(conn)
	if it.method == digatev1.Method_METHOD_CREATE_TOOL {
		resp, err := rpc.CreateTool(ctx, &integrationv1.CreateToolRequest{
			IntegrationId: it.parent, Name: &it.name, Description: new("Lists things"), EndpointPath: new("/things"),
			Method: integrationv1.HttpMethod_HTTP_METHOD_GET, RequestId: it.id,
		})
		return resp.GetTool().GetHttp().GetId(), err
	}
	resp, err := rpc.CreateIntegration(ctx, &integrationv1.CreateIntegrationRequest{
		Name: &it.name, BaseUrl: new("https://crm.example"), IntegrationType: integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP, RequestId: it.id,
	})
	return resp.GetIntegration().GetId(), err
}
