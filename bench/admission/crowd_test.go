package admission

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

const (
	templateID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	route      = "/v1/integration/template/" + templateID + "/copy"
	// streams is how many calls share a gRPC connection.
	streams = 500
	// backOff is how long a caller waits after a failure.
	backOff = 100 * time.Millisecond
)

// caller makes one copy without a deadline, and returns why it was not made.
type caller func(ctx context.Context, n int) error

// overHTTP returns callers of Diga's route at a base URL.
func overHTTP(t *testing.T, base, token, body string) caller {
	transport := &http.Transport{MaxIdleConnsPerHost: 10000}
	t.Cleanup(transport.CloseIdleConnections)
	return func(ctx context.Context, _ int) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+route, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		said, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusCreated {
			err = fmt.Errorf("%s: %s", resp.Status, said)
		}
		return err
	}
}

// overGRPC returns a number of callers of a digate.
func overGRPC(t *testing.T, addr, token string, callers int) caller {
	t.Helper()
	clients := make([]integrationv1.IntegrationServiceClient, (callers+streams-1)/streams)
	for i := range clients {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		clients[i] = integrationv1.NewIntegrationServiceClient(conn)
	}
	return func(ctx context.Context, n int) error {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
		_, err := clients[n%len(clients)].CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
		return err
	}
}

// crowd is a number of callers who call again and again.
type crowd struct {
	made, failed atomic.Int64
	stop         context.CancelFunc
	stopped      atomic.Bool
	first        atomic.Value // string: why, of the first that failed
	ended        sync.WaitGroup
}

// gather starts a crowd.
func gather(t *testing.T, call caller, callers int) *crowd {
	ctx, cancel := context.WithCancel(t.Context())
	c := &crowd{stop: cancel}
	for n := range callers {
		c.ended.Go(func() {
			for ctx.Err() == nil {
				err := call(ctx, n)
				switch {
				case c.stopped.Load():
				case err == nil:
					c.made.Add(1)
				default:
					c.first.CompareAndSwap(nil, err.Error())
					c.failed.Add(1)
					time.Sleep(backOff)
				}
			}
		})
	}
	return c
}

// disperse ends the crowd and returns what it counted until then.
func (c *crowd) disperse() (made, failed int) {
	c.stopped.Store(true)
	made, failed = int(c.made.Load()), int(c.failed.Load())
	c.stop()
	c.ended.Wait()
	return made, failed
}
