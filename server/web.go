package server

import (
	"google.golang.org/grpc"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/inproc"
	"github.com/digate/digate/server/intake"
	"github.com/digate/digate/server/web"
)

// newWeb returns the handler of calls over Connect and gRPC-Web, or nil unless --web-rpc
// is set. The calls pass the same interceptors as gRPC calls, and the intake receives
// their messages.
func (s *Server) newWeb(service integrationv1.IntegrationServiceServer, records digatev1.LedgerServiceServer) *web.Handler {
	if !s.cfg.Gateway.WebRPC {
		return nil
	}
	calls := web.New(s.webConfig())
	integrationv1.RegisterIntegrationServiceServer(calls, service)
	digatev1.RegisterLedgerServiceServer(calls, records)
	if s.services != nil {
		s.services(calls)
	}
	return calls
}

func (s *Server) webConfig() web.Config {
	return web.Config{
		Channel: webChannel{inproc.New(channelOptions(s.interceptors())), s.intake}, Authenticator: s.authenticator, Observer: s.telemetry,
		Bound: s.boundDeadline, MaxMessage: s.cfg.MaxRequestBytes, ReadTimeout: s.cfg.ReadTimeout, Stall: s.cfg.Integration.Bulk.StallTimeout,
		Memory: s.shareOf,
	}
}

// webChannel is a channel whose services receive messages through the intake.
type webChannel struct {
	*inproc.Channel

	intake *intake.Intake
}

// RegisterService implements [grpc.ServiceRegistrar].
func (c webChannel) RegisterService(desc *grpc.ServiceDesc, impl any) {
	c.Channel.RegisterService(c.intake.Service(desc), impl)
}
