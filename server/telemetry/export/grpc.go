package export

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// grpcClient speaks OTLP over gRPC.
type grpcClient struct {
	target Target
	method string
	conn   *grpc.ClientConn
	err    error
}

func newGRPCClient(t Target, of signal) *grpcClient {
	security := insecure.NewCredentials()
	if t.TLS != nil {
		security = credentials.NewTLS(t.TLS)
	}
	calls := []grpc.CallOption{grpc.MaxCallRecvMsgSize(maxResponse)}
	if t.Gzip {
		calls = append(calls, grpc.UseCompressor(gzip.Name))
	}
	conn, err := grpc.NewClient(t.URL, grpc.WithTransportCredentials(security), grpc.WithUserAgent(userAgent),
		grpc.WithDefaultCallOptions(calls...), grpc.WithDisableServiceConfig(), grpc.WithMaxHeaderListSize(maxHeader))
	return &grpcClient{t, of.method, conn, err}
}

func (c *grpcClient) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

func (c *grpcClient) once(ctx context.Context, request, response proto.Message) error {
	if c.err != nil {
		return failure("its address cannot be used")
	}
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(ctx, metadata.New(c.target.Headers)), c.target.Timeout)
	defer cancel()
	err := c.conn.Invoke(ctx, c.method, request, response)
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	words := "its gRPC status is " + s.Code().String()
	switch s.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		return &refusal{words, retryDelay(s)}
	case codes.ResourceExhausted: // which is for good unless it names a time
		if after := retryDelay(s); after > 0 {
			return &refusal{words, after}
		}
	}
	return failure(words)
}

// retryDelay returns how long a status asks to wait, 0 where it says nothing.
func retryDelay(s *status.Status) time.Duration {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return min(max(info.GetRetryDelay().AsDuration(), 0), time.Hour)
		}
	}
	return 0
}
