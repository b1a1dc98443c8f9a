package peer

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/digate/digate/bench/peers/internal/fixture"
	"github.com/digate/digate/bench/peers/internal/process"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// serveEcho serves one half of the parts: grpc-go alone, which reads the request
// and writes a response of the same fields as Diga's.
func serveEcho(s Settings, c *Control) (process.Serving, error) {
	return s.serveGRPC(func(server *grpc.Server) {
		integrationv1.RegisterIntegrationServiceServer(server, echo{control: c})
	})
}

// serveGRPC serves a grpc-go server as it comes.
func (s Settings) serveGRPC(register func(*grpc.Server)) (process.Serving, error) {
	var options []grpc.ServerOption
	config, err := s.serverTLS()
	if err != nil {
		return process.Serving{}, err
	}
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	ln, err := Settings{}.listen()
	if err != nil {
		return process.Serving{}, err
	}
	server := grpc.NewServer(options...)
	register(server)
	go func() { panic(server.Serve(ln)) }()
	return process.Serving{GRPC: ln.Addr().String()}, nil
}

type echo struct {
	integrationv1.UnimplementedIntegrationServiceServer

	control *Control
}

func (e echo) CopyTemplate(_ context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	if d := e.control.Delay(); d > 0 {
		time.Sleep(d)
	}
	return fixture.Echo(req)
}
