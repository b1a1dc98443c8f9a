package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// CreateIntegration implements [integrationv1.IntegrationServiceServer].
func (s *Service) CreateIntegration(ctx context.Context, req *integrationv1.CreateIntegrationRequest) (*integrationv1.CreateIntegrationResponse, error) {
	return forward[integrationv1.CreateIntegrationResponse](ctx, s, integrationv1.IntegrationService_CreateIntegration_FullMethodName, req)
}
