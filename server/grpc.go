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

// connectionTimeout is how long a new connection may take to become one.
const connectionTimeout = 20 * time.Second

// streamWorkers is how many goroutines wait for calls. Their stacks have grown already: that of
// a new goroutine grows to its fourfold during a call, and is copied each time. A call that
// finds all of them at work gets a goroutine of its own.
const streamWorkers = 256

// readBuffer is the size of the buffer, in bytes, into which a connection is read. Each has
// one all the time, and on an idle connection that is most of what it takes. It has room for
// the calls of many that come at once, and for a frame of HTTP/2 that is larger than the
// largest, 16 KiB: what is left unread when the connection closes would have the kernel reset
// it, and the client might not learn why.
const readBuffer = 18 << 10

// minPing is how often a client may ping. One that pings more often loses its
// connection, and with it the verdicts of the calls on it, so there is room for
// clients that are set to ping every few seconds.
const minPing = time.Second

// What may have arrived of messages that are not whole, over all connections on which
// nobody is known.
const (
	arrivingShare = 4 // of --max-decoded-bytes
	leastArriving = 4 // times --max-request-bytes
)

// newIntake returns the intake of the gRPC side.
func (s *Server) newIntake() *intake.Intake {
	return intake.New(intake.Bounds{
		MaxMessage: int(s.cfg.MaxRequestBytes), Memory: s.memory, StreamWindow: s.cfg.Integration.Bulk.Concurrency,
		Forwarded: s.contract.Forwarded, Gate: s.streams, Callers: s.callers,
	})
}

// newArrivals returns the count of what arrives on gRPC connections.
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
		// grpc varies the age of a connection by a tenth, so that those of one moment do
		// not end together. There is no MaxConnectionAgeGrace: it would cut bulk streams,
		// which last as long as their callers send.
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: 2 * time.Minute, Timeout: 20 * time.Second,
			MaxConnectionIdle: s.cfg.IdleTimeout, MaxConnectionAge: s.cfg.MaxConnectionAge,
		}),
	})...)
	services := receiving{srv, s.intake}
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

// receiving registers services whose unary methods receive through the intake.
type receiving struct {
	grpc.ServiceRegistrar

	intake *intake.Intake
}

// RegisterService implements [grpc.ServiceRegistrar].
func (r receiving) RegisterService(desc *grpc.ServiceDesc, impl any) {
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
		s.grpc.leave() // a client that comes back finds another server
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
