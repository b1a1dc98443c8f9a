// Package server puts digate together: the contract's service behind gRPC and
// REST listeners, the vendor behind an upstream client, and an admin listener
// for those who run it.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/inproc"
	"github.com/digate/digate/server/integration"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/telemetry"
	"github.com/digate/digate/server/upstream"
)

// Server is a complete digate server. Its listeners are bound.
type Server struct {
	cfg      config.Config
	log      *slog.Logger
	upstream *upstream.Client
	health   *health.Server
	draining chan struct{} // closed when the drain begins

	grpc           *grpc.Server
	rest, admin    *http.Server
	grpcLn, restLn net.Listener
	adminLn        net.Listener
	authenticator  authn.Authenticator
	telemetry      *telemetry.Telemetry
	unary          map[string]bool // the contract's unary methods

	service *integration.Service
	ledger  ledger.Store
	keys    ledger.Keys
}

// Build returns a server for a valid configuration, listening and not yet
// serving, or an error and nothing left behind. The version goes into the
// User-Agent that the vendor sees.
func Build(cfg config.Config, version string, log *slog.Logger) (_ *Server, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	sd := integrationv1.File_diga_integration_v1_integration_service_proto.Services().ByName("IntegrationService")
	s := &Server{
		cfg: cfg, log: log, draining: make(chan struct{}),
		authenticator: authn.Passthrough{},
		unary:         make(map[string]bool),
		telemetry:     telemetry.New(log, methodNames(integrationv1.IntegrationService_ServiceDesc, digatev1.LedgerService_ServiceDesc)),
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()

	for _, sd := range []grpc.ServiceDesc{integrationv1.IntegrationService_ServiceDesc, digatev1.LedgerService_ServiceDesc} {
		for _, m := range sd.Methods {
			s.unary["/"+sd.ServiceName+"/"+m.MethodName] = true
		}
	}
	up, err := UpstreamConfig(cfg, version)
	if err != nil {
		return nil, err
	}
	up.BreakerChanged = s.telemetry.CircuitChanged
	s.upstream, err = upstream.New(up, sd)
	if err != nil {
		return nil, err
	}
	if err := s.openLedger(); err != nil {
		return nil, err
	}
	s.telemetry.ObserveLoad(func() telemetry.Load { return telemetry.Load(s.upstream.Load()) })
	service, err := integration.New(s.serviceConfig())
	if err != nil {
		return nil, err
	}
	s.service = service
	records := s.newLedgerService()
	s.grpc = s.newGRPC(service, records)
	channel := inproc.New(inproc.Options{
		Unary:  []grpc.UnaryServerInterceptor{s.telemetry.UnaryInterceptor, authn.UnaryInterceptor},
		Stream: []grpc.StreamServerInterceptor{s.telemetry.StreamInterceptor, authn.StreamInterceptor},
	})
	integrationv1.RegisterIntegrationServiceServer(channel, service)
	routes, err := gateway.New(context.Background(), gateway.Config{
		Channel: channel, MaxBody: cfg.MaxRequestBytes, BulkMaxItems: cfg.BulkRESTMaxItems, Stall: cfg.BulkStallTimeout, Failed: s.telemetry.Failed,
	})
	if err != nil {
		return nil, err
	}
	s.rest = s.newREST(routes)
	s.admin = s.newAdmin()
	for _, l := range []struct {
		flag, addr string
		ln         *net.Listener
	}{
		{"grpc-addr", cfg.GRPCAddr, &s.grpcLn},
		{"http-addr", cfg.HTTPAddr, &s.restLn},
		{"admin-addr", cfg.AdminAddr, &s.adminLn},
	} {
		if *l.ln, err = net.Listen("tcp", l.addr); err != nil {
			return nil, fmt.Errorf("--%s: %w", l.flag, err)
		}
		if l.ln != &s.adminLn {
			*l.ln = s.bound(*l.ln)
		}
	}
	return s, nil
}

// UpstreamConfig is how a server of this configuration talks to the vendor.
func UpstreamConfig(cfg config.Config, version string) (upstream.Config, error) {
	roots, err := cfg.Roots()
	if err != nil {
		return upstream.Config{}, fmt.Errorf("--upstream-ca-file: %w", err)
	}
	return upstream.Config{
		URL: cfg.UpstreamURL, Timeout: cfg.UpstreamTimeout, MaxTimeout: cfg.LongestCall(), IdleTimeout: cfg.UpstreamIdleTimeout,
		HTTP2: cfg.UpstreamHTTP2, Roots: roots,
		MaxRequest: cfg.MaxRequestBytes, MaxAnswer: cfg.MaxAnswerBytes, MaxAnswerHeader: cfg.MaxAnswerHeaderBytes,
		MinTime: cfg.MinDeadline, MaxAttempts: cfg.UpstreamMaxAttempts, RetryBudget: cfg.UpstreamRetryBudget,
		BreakerDelay: cfg.UpstreamBreakerDelay,
		MinInFlight:  cfg.UpstreamMinInFlight, MaxInFlight: cfg.UpstreamMaxInFlight, MaxQueue: cfg.UpstreamMaxQueue,
		Strict:    cfg.Drift == config.DriftFail,
		UserAgent: "digate/" + version, Credential: authn.Credential,
	}, nil
}

// GRPCAddr is the gRPC listener's address.
func (s *Server) GRPCAddr() net.Addr { return s.grpcLn.Addr() }

// HTTPAddr is the REST listener's address.
func (s *Server) HTTPAddr() net.Addr { return s.restLn.Addr() }

// AdminAddr is the admin listener's address.
func (s *Server) AdminAddr() net.Addr { return s.adminLn.Addr() }

// Run serves until the context ends or a listener fails, then drains: the
// health service says NOT_SERVING, REST and gRPC take no more and finish what
// they have, and what is left after the shutdown timeout is cut. It returns nil after a drain
// that the context asked for, and everything is released when it returns.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	s.markServing()
	s.log.Info("serving", "grpc", s.GRPCAddr().String(), "rest", s.HTTPAddr().String(), "admin", s.AdminAddr().String(),
		"upstream", s.cfg.UpstreamURL)
	if s.store() == "memory" {
		s.log.Info("request ids are kept in memory and are forgotten when this process ends; --ledger=sqlite:PATH keeps them")
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return named("gRPC listener", s.grpc.Serve(s.grpcLn)) })
	g.Go(func() error { return named("REST listener", s.rest.Serve(s.restLn)) })
	g.Go(func() error { return named("admin listener", s.admin.Serve(s.adminLn)) })
	sweeping := make(chan struct{})
	go func() {
		defer close(sweeping)
		s.sweep(ctx)
	}()
	g.Go(func() error {
		<-ctx.Done()
		return s.drain()
	})
	err := g.Wait()
	<-sweeping
	s.log.Info("stopped")
	return err
}

// lastWords is the time for answering the calls that are cut.
const lastWords = time.Second

// drain ends the server in order, within the shutdown timeout.
func (s *Server) drain() error {
	s.log.Info("draining", "timeout", s.cfg.ShutdownTimeout.String())
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer cancel()
	s.health.Shutdown()
	close(s.draining)
	// Both sides stop taking calls at once: one that has long calls must not
	// leave the other open, or without time.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var both errgroup.Group
		both.Go(func() error { return s.rest.Shutdown(context.Background()) })
		both.Go(func() error { s.grpc.GracefulStop(); return nil })
		_ = both.Wait()
		// Copies that were sent go on without their callers.
		s.service.Wait(context.Background())
	}()
	cut := false
	select {
	case <-ended:
	case <-ctx.Done():
		cut = true
		// The calls under way fail with their verdict, and callers get to hear it.
		s.upstream.Cut()
		select {
		case <-ended:
		case <-time.After(lastWords):
		}
		_ = s.rest.Close()
		s.grpc.Stop()
		s.service.Close()
		<-ended
	}
	_ = s.admin.Close()
	if cut {
		return errors.New("calls were still under way at the end of the shutdown timeout and were cut; their outcome is unknown to their callers")
	}
	return nil
}

// Close releases what a server holds that is not running. Run does it by
// itself.
func (s *Server) Close() {
	for _, ln := range []net.Listener{s.grpcLn, s.restLn, s.adminLn} {
		if ln != nil {
			_ = ln.Close() // Run's servers have closed theirs before
		}
	}
	if s.service != nil {
		s.service.Close()
	}
	if s.upstream != nil {
		s.upstream.Close()
	}
	if s.ledger != nil {
		if err := s.ledger.Close(); err != nil {
			s.log.Warn("closing the ledger failed", "error", err.Error())
		}
		s.ledger = nil
	}
}

// named returns the failure of a listener by its name; an end that was asked
// for, before it served or after, is none.
func named(what string, err error) error {
	if err == nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func methodNames(services ...grpc.ServiceDesc) []string {
	var names []string
	for _, sd := range services {
		for _, m := range sd.Methods {
			names = append(names, "/"+sd.ServiceName+"/"+m.MethodName)
		}
		for _, m := range sd.Streams {
			names = append(names, "/"+sd.ServiceName+"/"+m.StreamName)
		}
	}
	return names
}
