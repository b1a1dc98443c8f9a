package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

const (
	token = "crash-token"
	// window is how many items a client has under way, besides those that its last
	// stream left open.
	window = 16
	// pauseAfterStream is how long a client waits before its next stream.
	pauseAfterStream = 100 * time.Millisecond
)

func withToken(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func dial(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableServiceConfig())
}

// client copies in bulk. After every interruption it goes on with the same request
// ids.
type client struct {
	items  []item
	addr   func() string
	report *report
	order  *rand.Rand
}

// finish sends until every item has a final response.
func (c *client) finish(ctx context.Context) error {
	var last error
	for {
		rest, owed := c.report.rest(c.items, c.order)
		if len(rest) == 0 {
			return nil
		}
		if err := c.stream(ctx, rest, window+owed); err != nil {
			last = err
		}
		timer := time.NewTimer(pauseAfterStream)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%d items have no response: %w", len(rest), errors.Join(ctx.Err(), last))
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
			c.report.sent(it.id)
			err := stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{
				TemplateId: it.template, Name: &it.name, RequestId: it.id,
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
			c.report.received(resp.GetRequestId(), tellingOf(resp))
			<-places
		}
	}
}
