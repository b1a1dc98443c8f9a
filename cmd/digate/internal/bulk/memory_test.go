package bulk

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/clitest"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/test/await"
)

// memoryRun is a run against a fake server in memory. Without sockets it can run on
// the clock of [testing/synctest].
type memoryRun struct {
	*runner

	in      *input
	results map[string]rowResult // by the row's name
	out     await.Transcript
}

func newMemoryRun(t *testing.T, s *fakeServer, rows int) *memoryRun {
	t.Helper()
	c, err := compileContract()
	if err != nil {
		t.Fatal(err)
	}
	tr := &memoryRun{
		in:      &input{path: clitest.WriteFile(t, "rows.csv", csvOf(rows)), format: "csv", varPrefix: "var.", contract: c},
		results: make(map[string]rowResult),
	}
	tr.runner = &runner{
		connect: s.inMemory, job: newJob("rows.csv", ""), promise: newPromise("memory", s.ledger, time.Now()), contract: c,
		pending: make(map[string]*item), window: 1, reconnects: 5, grace: interruptGrace, stall: stallTimeout, now: time.Now,
		report: &report{
			progress: &progress{w: &tr.out, silent: true, columns: func() int { return 0 }},
			look:     func(string) string { return "" },
			results: &streamed{write: func(r rowResult) error {
				tr.results[rowName(r.Line)] = r
				return nil
			}},
		},
	}
	return tr
}

// rowName returns the name that csvOf gave to the row in a line.
func rowName(line int) string { return "n-" + string(rune('0'+line-2)) }

// all runs to the end and returns the exit code, and what ended the run early.
func (tr *memoryRun) all(ctx context.Context, t *testing.T, timeout time.Duration) (code int, why error) {
	t.Helper()
	why, err := tr.runner.all(ctx, timeout, tr.in, true)
	if err != nil {
		t.Fatal(err)
	}
	return tr.report.worst, why
}

// inMemory connects to the server without a socket.
func (s *fakeServer) inMemory(context.Context) (*connection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	leaving := make(chan struct{})
	s.leave = sync.OnceFunc(func() { close(leaving) })
	return &connection{client: memoryClient{server: s}, ledger: s.ledger, leaving: leaving, close: func() {}}, nil
}

type memoryClient struct {
	integrationv1.IntegrationServiceClient

	server *fakeServer
}

func (c memoryClient) BulkCopyTemplate(ctx context.Context, _ ...grpc.CallOption) (copyStream, error) {
	p := &memoryStream{
		outer: ctx, requests: make(chan *integrationv1.BulkCopyTemplateRequest),
		responses: make(chan *integrationv1.BulkCopyTemplateResponse), ended: make(chan struct{}),
	}
	inner, cancel := context.WithCancel(ctx)
	p.inner = inner
	go func() {
		defer close(p.ended)
		defer cancel()
		p.err = c.server.BulkCopyTemplate(memoryServerEnd{memoryStream: p})
	}()
	return memoryClientEnd{memoryStream: p}, nil
}

type memoryStream struct {
	outer, inner context.Context // of the client and of the handler
	requests     chan *integrationv1.BulkCopyTemplateRequest
	closing      sync.Once
	responses    chan *integrationv1.BulkCopyTemplateResponse
	ended        chan struct{}
	err          error // how the handler ended
}

type memoryClientEnd struct {
	grpc.ClientStream
	*memoryStream
}

func (c memoryClientEnd) Send(req *integrationv1.BulkCopyTemplateRequest) error {
	select {
	case c.requests <- req:
		return nil
	case <-c.inner.Done():
		return io.EOF
	}
}

func (c memoryClientEnd) CloseSend() error {
	c.closing.Do(func() { close(c.requests) })
	return nil
}

func (c memoryClientEnd) Recv() (*integrationv1.BulkCopyTemplateResponse, error) {
	select {
	case resp := <-c.responses:
		return resp, nil
	case <-c.outer.Done():
		return nil, status.FromContextError(c.outer.Err()).Err()
	case <-c.ended:
		if c.err == nil {
			return nil, io.EOF
		}
		return nil, c.err
	}
}

type memoryServerEnd struct {
	grpc.ServerStream
	*memoryStream
}

func (s memoryServerEnd) Context() context.Context { return s.inner }

func (s memoryServerEnd) Recv() (*integrationv1.BulkCopyTemplateRequest, error) {
	select {
	case req, ok := <-s.requests:
		if !ok {
			return nil, io.EOF
		}
		return req, nil
	case <-s.inner.Done():
		return nil, s.inner.Err()
	}
}

func (s memoryServerEnd) Send(resp *integrationv1.BulkCopyTemplateResponse) error {
	select {
	case s.responses <- resp:
		return nil
	case <-s.inner.Done():
		return errors.New("the client is gone")
	}
}
