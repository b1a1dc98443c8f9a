// Bare is a grpc-go server of digate's contract with default settings, for comparison
// with digate under attack. It makes no call to another server. Its log is the line
// with its address.
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // as digate supports
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	integrationv1.RegisterIntegrationServiceServer(server, service{})
	healthv1.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	fmt.Printf(`{"msg":"serving","grpc":%q}`+"\n", ln.Addr())
	return server.Serve(ln)
}

// service responds as if it had made a copy.
type service struct {
	integrationv1.UnimplementedIntegrationServiceServer
}

func (service) CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("authorization")) == 0 {
		return nil, status.Error(codes.Unauthenticated, "no credential")
	}
	return &integrationv1.CopyTemplateResponse{Integration: &integrationv1.Integration{Id: req.GetTemplateId(), Name: req.GetName()}}, nil
}
