package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// UpdateIntegration implements [integrationv1.IntegrationServiceServer].
func (s *Service) UpdateIntegration(ctx context.Context, req *integrationv1.UpdateIntegrationRequest) (*integrationv1.UpdateIntegrationResponse, error) {
	return forward[integrationv1.UpdateIntegrationResponse](ctx, s, integrationv1.IntegrationService_UpdateIntegration_FullMethodName, req)
}
