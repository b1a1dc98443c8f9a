// Package server composes digate from its parts. It serves the contract on a gRPC and a
// REST listener, calls Diga through an upstream client, and has an admin listener for
// operators.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/access"
	"github.com/digate/digate/server/audit"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/callers"
	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/connections"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/inproc"
	"github.com/digate/digate/server/intake"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/watch"
	"github.com/digate/digate/server/ledgerservice"
	"github.com/digate/digate/server/lifecycle"
	"github.com/digate/digate/server/loglevel"
	"github.com/digate/digate/server/openapi/viewer"
	"github.com/digate/digate/server/setting"
	"github.com/digate/digate/server/socket"
	"github.com/digate/digate/server/streams"
	"github.com/digate/digate/server/telemetry"
	"github.com/digate/digate/server/upstream"
)

// Server is a digate server whose listeners are bound.
type Server struct {
	cfg         config.Config
	log         *slog.Logger
	lifecycle   lifecycle.Stack
	telemetry   *telemetry.Telemetry
	upstream    *upstream.Client
	version     string
	origins     setting.Origins
	started     time.Time
	ledger      ledger.Store
	watch       *watch.Store // the same store as ledger, with its measurements
	engine      *ledger.Engine
	keys        ledger.Keys
	contract    *contract.Contract
	leaving     atomic.Bool // true once the server reports that it wants no more calls
	hurry       func(context.Context) context.Context
	supervisor  Supervisor      // may be nil
	beforeDrain context.Context // ends when the drain begins
	beginDrain  context.CancelFunc
	drainCause  func() error // returns why the drain began; nil if no context ended
	callers     *callers.Known
	streams     *streams.Gate
	memory      *budget.Memory
	arrivals    *connections.Arrivals
	intake      *intake.Intake
	resets      atomic.Uint64               // number of gRPC connections closed for too many resets
	services    func(grpc.ServiceRegistrar) // from the options; may be nil

	audit    *audit.Log      // nil without an audit log
	logLevel *loglevel.Level // nil if the level cannot be changed

	grpc, rest, admin *listener
	health            *health.Server
	// The certificate files of the listeners and of the connections to Diga. Each is nil
	// if no setting names a file.
	certificates, upstreamCertificates *certs.Watch
	authenticator                      authn.Authenticator
	access                             *access.Access         // nil without a file of accounts
	issuers                            telemetry.IssuersState // nil if no tokens are verified
}

// Options are the inputs of a server besides its configuration.
type Options struct {
	// Version is sent to the upstream in the User-Agent header.
	Version string
	Log     *slog.Logger
	// Origins say where each setting was set. The status page shows them.
	Origins setting.Origins
	// LogLevel, if set, is the level of the log. The admin listener can change it.
	LogLevel *slog.LevelVar
	// LogLoad, if set, returns how many log lines were written and lost.
	LogLoad func() telemetry.LogLoad
	// Sockets are listeners to use instead of the addresses in the settings, keyed by the
	// names in [SocketNames]. The server closes them, even if New returns an error.
	Sockets map[string]net.Listener
	// Supervisor, if set, is told when the server starts to serve and to stop.
	Supervisor Supervisor
	// Hurry, if set, is called at the start of --drain-delay. The drain begins early if
	// the returned context ends. The context given to Hurry ends with the delay.
	Hurry func(context.Context) context.Context
	// Getenv, if set, returns the value of an environment variable. It is used for the
	// OpenTelemetry variables, which configure the export of spans and metrics.
	Getenv func(name string) string
	// Public are REST routes outside the contract that need no credential.
	Public []gateway.PublicRoute
	// Docs are the options of the page at /docs, if the settings enable that page.
	Docs viewer.Options
	// Services, if set, registers more gRPC services. Their calls pass the same
	// interceptors as digate's own. Conformance suites use it to test the server with
	// services of their own.
	Services func(grpc.ServiceRegistrar)
	// Authenticator, if set, replaces the one that the settings describe. Conformance
	// suites use it, because their calls have no credential.
	Authenticator authn.Authenticator
}

// SocketNames are the names of the listeners.
var SocketNames = []string{"grpc", "http", "admin"}

// Supervisor is the process manager that started the server. It may be told the same
// thing repeatedly.
type Supervisor interface {
	// Serving is called when the server serves. The status is a text for people.
	Serving(status string)
	// Stopping is called when the server shuts down. The status is a text for people that
	// names the current step.
	Stopping(status string)
}

// New returns a server that listens but does not serve yet. If it fails, it releases
// everything that it opened. The error is a [setting.Mistaken] if the configuration must
// change before a start can succeed. If the context ends, New stops waiting and returns
// an error. The context has no effect on the returned server.
func New(ctx context.Context, cfg config.Config, opts Options) (_ *Server, err error) {
	defer func() {
		if err != nil {
			for _, ln := range opts.Sockets {
				_ = ln.Close()
			}
		}
	}()
	if err := cfg.Validate(); err != nil {
		return nil, setting.Mistaken(err)
	}
	methods, err := contract.Load(contract.Integration(), contract.Ledger())
	if err != nil {
		return nil, err
	}
	s := newServer(cfg, methods, opts)
	defer func() {
		if err != nil {
			s.Close()
		}
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("the start was interrupted (%w): %w", context.Cause(ctx), err)
		}
	}()
	if err := s.openParts(ctx, opts); err != nil {
		return nil, err
	}
	if err := s.makeServices(opts); err != nil {
		return nil, err
	}
	// Last, so that no connection waits for a start that may fail.
	if err := s.bind(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// newServer returns a server of those parts that cannot fail.
func newServer(cfg config.Config, methods *contract.Contract, opts Options) *Server {
	s := &Server{
		cfg: cfg, log: opts.Log, version: opts.Version, origins: opts.Origins, started: time.Now(),
		contract: methods, hurry: opts.Hurry, supervisor: opts.Supervisor, services: opts.Services,
		telemetry: telemetry.New(opts.Log, methods.Names(), cfg.LongestCall()),
	}
	s.callers = callers.New()
	s.streams = streams.New(cfg.MaxWaitingStreams, s.callers)
	s.memory = budget.NewMemory(cfg.MaxDecodedBytes)
	s.arrivals = s.newArrivals()
	s.telemetry.KnowCallers(s.isKnown)
	s.intake = s.newIntake()
	s.beforeDrain, s.beginDrain = context.WithCancel(context.Background())
	s.makeListeners(opts.Sockets)
	s.telemetry.WatchLog(opts.LogLoad)
	s.telemetry.WatchBounds(limitsInUse{s})
	if opts.LogLevel != nil {
		s.logLevel = loglevel.New(opts.Log, opts.LogLevel)
		s.lifecycle.Push(&lifecycle.Part{Name: "log level", Close: func() error { s.logLevel.Close(); return nil }})
	}
	return s
}

// openParts opens what the services need: files, the ledger, and the connections to Diga.
func (s *Server) openParts(ctx context.Context, opts Options) error {
	if err := s.openCertificates(); err != nil {
		return err
	}
	if err := s.openAudit(opts.Version); err != nil {
		return err
	}
	if err := s.openExport(opts.Getenv); err != nil {
		return err
	}
	if err := s.openUpstream(opts.Version); err != nil {
		return err
	}
	if err := s.openLedger(ctx); err != nil {
		return err
	}
	return s.openAuthenticator(ctx, opts.Authenticator)
}

// makeServices makes the services and the servers of the listeners, and puts these on
// the stack.
func (s *Server) makeServices(opts Options) error {
	service, err := s.newIntegration()
	if err != nil {
		return err
	}
	contracts, err := gateway.New(s.gatewayConfig(s.newChannel(service)))
	if err != nil {
		return err
	}
	records, err := ledgerservice.New(s.ledgerServiceConfig())
	if err != nil {
		return err
	}
	routes, err := s.newRoutes(contracts, s.newWeb(service, records), opts)
	if err != nil {
		return err
	}
	s.lifecycle.Push(s.grpcPart(s.newGRPC(service, records)), s.restPart(s.newREST(routes)))
	s.lifecycle.Push(s.adminPart(s.newAdmin()))
	if err := s.watchContract(opts.Version); err != nil {
		return err
	}
	s.lifecycle.Push(s.announcement())
	return nil
}

// makeListeners creates the listeners. It does not bind them.
func (s *Server) makeListeners(handed map[string]net.Listener) {
	bounds := &limits{s.cfg.MaxConnections, s.cfg.WriteTimeout}
	mode := s.cfg.Mode()
	s.grpc = &listener{name: "grpc", flag: "grpc-addr", inherited: handed["grpc"], addr: s.cfg.GRPCAddr, mode: mode, log: s.log, limits: bounds}
	s.rest = &listener{name: "rest", flag: "http-addr", inherited: handed["http"], addr: s.cfg.HTTPAddr, mode: mode, log: s.log, limits: bounds}
	s.admin = &listener{name: "admin", flag: "admin-addr", inherited: handed["admin"], addr: s.cfg.AdminAddr, mode: mode, log: s.log, limits: bounds}
}

// openUpstream creates the upstream client and puts it on the stack.
func (s *Server) openUpstream(version string) error {
	cfg, err := UpstreamConfig(s.cfg, version)
	if err != nil {
		return err
	}
	cfg.Observer = s.telemetry
	if s.audit != nil && s.audit.Required() {
		cfg.BeforeWrite = s.telemetry.BeforeWrite
	}
	if s.upstream, err = upstream.New(cfg, s.contract); err != nil {
		return setting.Mistaken(err) // the URL is wrong, or a variable that names a proxy
	}
	s.telemetry.Watch(s.upstream)
	if err := s.watchUpstreamCertificates(); err != nil {
		return err
	}
	s.lifecycle.Push(&lifecycle.Part{
		Name: "upstream", Cut: s.upstream.Cut,
		Close: func() error { s.upstream.Close(); return nil },
	})
	return nil
}

// UpstreamConfig returns the configuration of the upstream client for these settings.
func UpstreamConfig(cfg config.Config, version string) (upstream.Config, error) {
	material, err := cfg.Upstream.Files().Load()
	if err != nil {
		return upstream.Config{}, setting.Mistaken(err)
	}
	return upstream.Config{
		Settings: cfg.Upstream, ResponseLimits: cfg.Responses, Material: material,
		MaxTimeout: cfg.LongestCall(), MaxRequest: cfg.MaxRequestBytes,
		UserAgent: "digate/" + version, Credential: credential,
	}, nil
}

// credential returns the credential for the requests to Diga in a call with this context.
func credential(ctx context.Context) (upstream.Credential, error) {
	p := authn.FromContext(ctx)
	if p == nil {
		return upstream.Credential{}, authn.ErrNoCaller()
	}
	by := upstream.Credential{Token: p.Token(), Account: p.Account()}
	if n := p.Named(); n != nil {
		by.Caller = n.Caller
	}
	return by, nil
}

// newChannel returns the channel through which the REST side calls the service.
func (s *Server) newChannel(service integrationv1.IntegrationServiceServer) *inproc.Channel {
	channel := inproc.New(channelOptions(forREST(s.interceptors())))
	integrationv1.RegisterIntegrationServiceServer(channel, service)
	return channel
}

func (s *Server) gatewayConfig(channel gateway.Channel) gateway.Config {
	return gateway.Config{
		Settings: s.cfg.Gateway, MaxBody: s.cfg.MaxRequestBytes, Stall: s.cfg.Integration.Bulk.StallTimeout,
		Contract: s.contract, Channel: channel, Observer: s.telemetry, MaxDeadline: s.cfg.MaxDeadline,
		Memory: s.shareOf,
	}
}

// GRPCAddr returns the gRPC listener's address.
func (s *Server) GRPCAddr() net.Addr { return s.grpc.ln.Addr() }

// HTTPAddr returns the REST listener's address.
func (s *Server) HTTPAddr() net.Addr { return s.rest.ln.Addr() }

// AdminAddr returns the admin listener's address.
func (s *Server) AdminAddr() net.Addr { return s.admin.ln.Addr() }

// Run serves until the context ends or a listener fails, and then drains. In a drain,
// readiness and the health service first report that the server is shutting down. After
// --drain-delay, which applies only if the context ended, REST and gRPC accept no more
// calls and finish those in progress. Calls that are left after the shutdown timeout are
// cut. Run returns nil if the context ended and no call was cut. All resources are
// released when Run returns.
func (s *Server) Run(ctx context.Context) error {
	s.markServing()
	s.log.Info("serving", "version", s.version, "ledger", s.engine.Name, "grpc", socket.Address(s.GRPCAddr()), "rest", socket.Address(s.HTTPAddr()), "admin", socket.Address(s.AdminAddr()),
		"upstream", s.cfg.Upstream.URL)
	if s.supervisor != nil {
		s.supervisor.Serving(fmt.Sprintf("serving gRPC on %s, REST on %s", socket.Address(s.GRPCAddr()), socket.Address(s.HTTPAddr())))
	}
	if !s.engine.Durable {
		s.log.Info("request ids are kept in memory and are forgotten when this process ends; --ledger=sqlite:PATH keeps them")
		if s.cfg.Copies.Mark() {
			s.log.Warn("with a ledger in memory, --settle-doubts=mark settles no doubt of a server that was killed, and its integrations keep their marks")
		}
	}
	s.drainCause = func() error { return context.Cause(ctx) }
	served, end := s.afterDelay(ctx)
	defer end()
	err := s.lifecycle.Run(served, s.cfg.ShutdownTimeout)
	s.log.Info("stopped")
	return err
}

// Close releases the resources of a server on which Run was never called.
func (s *Server) Close() { _ = s.lifecycle.Close() }

// announcement returns the part that reports readiness. It is at the top of the stack, so
// the drain begins with it.
func (s *Server) announcement() *lifecycle.Part {
	return &lifecycle.Part{
		Name: "health",
		Drain: func() {
			s.reportShutdown("draining", "timeout", s.cfg.ShutdownTimeout)
			s.leave()
			s.beginDrain()
		},
	}
}
