package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/bench/peers/internal/fixture"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// Method is what is called.
type Method struct {
	// Name is the full name.
	Name string
	// RequestID is what the request id of each call begins with; without it, calls
	// have none.
	RequestID string
	// Bare says that the response is the integration, and has it in no field.
	Bare bool
}

// OverGRPC returns a call of a method at an address, over that many connections
// that are left open until end.
func OverGRPC(addr string, method Method, connections int, config *tls.Config, v fixture.Variables) (call Call, end func() error, err error) {
	conns := make([]*grpc.ClientConn, connections)
	for i := range conns {
		if conns[i], err = dial(addr, config); err != nil {
			return nil, nil, err
		}
	}
	var made counter
	call = func(ctx context.Context, worker, n int) error {
		req := fixture.Message(n, v)
		if method.RequestID != "" {
			req.RequestId = method.RequestID + strconv.Itoa(made.next())
		}
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", fixture.Authorization)
		resp := new(integrationv1.CopyTemplateResponse)
		var into proto.Message = resp
		if method.Bare {
			resp.Integration = new(integrationv1.Integration)
			into = resp.Integration
		}
		if err := conns[worker%len(conns)].Invoke(ctx, method.Name, req, into); err != nil {
			return fmt.Errorf("copy %d: %w", n, err)
		}
		return fixture.CheckMessage(n, resp)
	}
	return call, func() error {
		var errs []error
		for _, conn := range conns {
			errs = append(errs, conn.Close())
		}
		return errors.Join(errs...)
	}, nil
}

// dial returns a connection to an address, over TLS if there is a config.
func dial(addr string, config *tls.Config) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if config != nil {
		transport = credentials.NewTLS(config)
	}
	return grpc.NewClient(addr, grpc.WithTransportCredentials(transport))
}

// counter numbers calls from 1.
type counter struct{ last atomic.Int64 }

func (c *counter) next() int { return int(c.last.Add(1)) }
