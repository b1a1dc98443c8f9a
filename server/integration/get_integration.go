package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// GetIntegration implements [integrationv1.IntegrationServiceServer].
func (s *Service) GetIntegration(ctx context.Context, req *integrationv1.GetIntegrationRequest) (*integrationv1.GetIntegrationResponse, error) {
	return forward[integrationv1.GetIntegrationResponse](ctx, s, integrationv1.IntegrationService_GetIntegration_FullMethodName, req)
}
