// Package integration is the IntegrationService: one file per RPC.
package integration

import (
	"context"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// Upstream sends a call to the vendor and fills in its response; what fails is
// an error that knows its gRPC status. The method is a full gRPC name. Sending,
// which may be nil, is called once before anything may leave, and returns the
// context to send under.
type Upstream interface {
	Call(ctx context.Context, method string, req, resp proto.Message, sending func() (context.Context, error)) error
}

// Service implements the contract's IntegrationService.
type Service struct {
	integrationv1.UnimplementedIntegrationServiceServer
	upstream Upstream
	rules    *Rules
}

var _ integrationv1.IntegrationServiceServer = (*Service)(nil)

// New returns the service. A validation rule in the contract that is not
// enforced here is an error.
func New(upstream Upstream) (*Service, error) {
	rules, err := CompileRules(integrationv1.File_diga_integration_v1_integration_service_proto.Services().ByName("IntegrationService"))
	if err != nil {
		return nil, err
	}
	return &Service{upstream: upstream, rules: rules}, nil
}

// forward validates a request and sends it upstream.
func forward[M any, Response interface {
	*M
	proto.Message
}](ctx context.Context, s *Service, method string, req proto.Message) (Response, error) {
	if err := s.rules.Validate(req); err != nil {
		return nil, err
	}
	resp := Response(new(M))
	if err := s.upstream.Call(ctx, method, req, resp, nil); err != nil {
		return nil, err
	}
	return resp, nil
}
