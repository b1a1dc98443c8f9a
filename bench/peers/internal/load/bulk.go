package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/bench/peers/internal/fixture"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// OverBulk returns a call that makes a copy as an item of a bulk stream, over one
// stream on each of that many connections. Request ids begin with prefix. The
// streams are left open until end.
func OverBulk(ctx context.Context, addr, prefix string, streams int, config *tls.Config) (call Call, end func() error, err error) {
	all := make([]*bulkStream, streams)
	end = func() error {
		var errs []error
		for _, s := range all {
			if s != nil {
				errs = append(errs, s.end())
			}
		}
		return errors.Join(errs...)
	}
	for i := range all {
		if all[i], err = openBulk(ctx, addr, config); err != nil {
			return nil, nil, errors.Join(err, end())
		}
	}
	var made counter
	return func(_ context.Context, worker, n int) error {
		return all[worker%len(all)].copy(prefix+strconv.Itoa(made.next()), n)
	}, end, nil
}

// bulkStream is a stream with the items that wait for their results.
type bulkStream struct {
	conn   *grpc.ClientConn
	stream grpc.BidiStreamingClient[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]
	ended  chan error

	sending sync.Mutex
	mu      sync.Mutex
	waiting map[string]chan *integrationv1.BulkCopyTemplateResponse
}

func openBulk(ctx context.Context, addr string, config *tls.Config) (*bulkStream, error) {
	conn, err := dial(addr, config)
	if err != nil {
		return nil, err
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", fixture.Authorization)
	stream, err := integrationv1.NewIntegrationServiceClient(conn).BulkCopyTemplate(ctx)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &bulkStream{
		conn: conn, stream: stream, ended: make(chan error, 1), waiting: make(map[string]chan *integrationv1.BulkCopyTemplateResponse),
	}
	go func() { s.ended <- s.receive() }()
	return s, nil
}

// receive hands out the results, until the stream ends.
func (s *bulkStream) receive() error {
	for {
		resp, err := s.stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, result := range s.waiting {
				close(result)
			}
			s.waiting = nil
			return err
		}
		s.mu.Lock()
		result := s.waiting[resp.GetRequestId()]
		delete(s.waiting, resp.GetRequestId())
		s.mu.Unlock()
		if result != nil { // else it is the summary
			result <- resp
		}
	}
}

// copy makes one copy and returns once its result is there.
func (s *bulkStream) copy(id string, n int) error {
	result := make(chan *integrationv1.BulkCopyTemplateResponse, 1)
	s.mu.Lock()
	if s.waiting == nil {
		s.mu.Unlock()
		return errors.New("the stream has ended")
	}
	s.waiting[id] = result
	s.mu.Unlock()
	req := fixture.Message(n, fixture.Variables{})
	req.RequestId = id
	s.sending.Lock()
	err := s.stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: req})
	s.sending.Unlock()
	if err != nil {
		return fmt.Errorf("copy %d: %w", n, err)
	}
	resp := <-result
	if resp.GetIntegration() == nil {
		return fmt.Errorf("copy %d: %v", n, resp)
	}
	return fixture.CheckMessage(n, &integrationv1.CopyTemplateResponse{Integration: resp.GetIntegration()})
}

// end ends the stream after all results.
func (s *bulkStream) end() error {
	return errors.Join(s.stream.CloseSend(), <-s.ended, s.conn.Close())
}
