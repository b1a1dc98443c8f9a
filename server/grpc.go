package server

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/connections"
	"github.com/digate/digate/server/intake"
	"github.com/digate/digate/server/lifecycle"
)

// connectionTimeout is how long the HTTP/2 handshake of a new connection may take.
const connectionTimeout = 20 * time.Second

// streamWorkers is the number of goroutines that wait for calls. Their stacks have grown
// already: the stack of a new goroutine grows fourfold during a call, and is copied each
// time it grows. A call gets a goroutine of its own if all workers are busy.
const streamWorkers = 256

// readBuffer is the size in bytes of a connection's read buffer. A connection keeps its
// buffer all the time, and the buffer is most of an idle connection's memory. It is large
// enough for the data of many concurrent calls, and for an HTTP/2 frame larger than the
// permitted 16 KiB: unread data at the close of a connection would make the kernel reset
// it, and the client might not learn the reason.
const readBuffer = 18 << 10

// minPing is the shortest interval at which a client may ping. A client that pings more
// often loses its connection and with it the statuses of its calls, so the interval
// allows for clients that ping every few seconds.
const minPing = time.Second

// Limits on the data of incomplete messages, over all connections that have no known
// caller.
const (
	arrivingShare = 4 // fraction of --max-decoded-bytes
	leastArriving = 4 // multiple of --max-request-bytes
)

// newIntake returns the intake, which receives the messages of gRPC calls.
func (s *Server) newIntake() *intake.Intake {
	return intake.New(intake.Bounds{
		MaxMessage: int(s.cfg.MaxRequestBytes), Memory: s.memory, StreamWindow: s.cfg.Integration.Bulk.Concurrency,
		Forwarded: s.contract.Forwarded, Gate: s.streams, Callers: s.callers,
	})
}

// newArrivals returns the counter of the data that arrives on gRPC connections.
func (s *Server) newArrivals() *connections.Arrivals {
	return connections.NewArrivals(max(s.cfg.MaxDecodedBytes/arrivingShare, leastArriving*s.cfg.MaxRequestBytes))
}

func (s *Server) newGRPC(service integrationv1.IntegrationServiceServer, records digatev1.LedgerServiceServer) *grpc.Server {
	watched := connections.Watch(s.grpc.credentials(), connections.Config{
		Arrivals: s.arrivals, Malformed: s.telemetry.MalformedCall, Refused: s.telemetry.RefusedCall, Reset: func() { s.resets.Add(1) }, Log: s.log,
	})
	srv := grpc.NewServer(slices.Concat(s.intake.ServerOptions(), serverOptions(s.interceptors()), []grpc.ServerOption{
		grpc.Creds(watched),
		grpc.InTapHandle(s.tapHandle()),
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return apierror.UnknownMethod() }),
		grpc.MaxHeaderListSize(uint32(s.connectionHeader())),
		grpc.MaxConcurrentStreams(s.cfg.MaxStreams),
		grpc.ConnectionTimeout(connectionTimeout),
		grpc.ReadBufferSize(readBuffer),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		// grpc varies MaxConnectionAge by a tenth, so that connections opened at the same
		// moment do not all end together. MaxConnectionAgeGrace is not set: it would cut
		// bulk streams, which last as long as their callers send.
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: 2 * time.Minute, Timeout: 20 * time.Second,
			MaxConnectionIdle: s.cfg.IdleTimeout, MaxConnectionAge: s.cfg.MaxConnectionAge,
		}),
	})...)
	services := intakeRegistrar{srv, s.intake}
	integrationv1.RegisterIntegrationServiceServer(services, service)
	digatev1.RegisterLedgerServiceServer(services, records)
	s.health = health.NewServer()
	s.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	healthv1.RegisterHealthServer(services, s.health)
	if s.services != nil {
		s.services(services)
	}
	reflection.Register(srv)
	return srv
}

// intakeRegistrar registers services so that their unary methods receive messages through the
// intake.
type intakeRegistrar struct {
	grpc.ServiceRegistrar

	intake *intake.Intake
}

// RegisterService implements [grpc.ServiceRegistrar].
func (r intakeRegistrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	r.ServiceRegistrar.RegisterService(r.intake.Service(desc), impl)
}

// grpcPart returns the gRPC side as a part of the server.
func (s *Server) grpcPart(srv *grpc.Server) *lifecycle.Part {
	p := &lifecycle.Part{
		Name:  "gRPC listener",
		Serve: func(context.Context) error { return s.grpc.serveGRPC(srv) },
		Close: func() error { srv.Stop(); s.grpc.close(); return nil },
	}
	p.Drain = func() {
		s.grpc.leave() // a client that reconnects reaches another server
		p.AwaitServed()
		s.grpc.handover.Wait()
		srv.GracefulStop()
	}
	return p
}

func (s *Server) markServing() {
	for _, name := range []string{"", integrationv1.IntegrationService_ServiceDesc.ServiceName, digatev1.LedgerService_ServiceDesc.ServiceName} {
		s.health.SetServingStatus(name, healthv1.HealthCheckResponse_SERVING)
	}
}
