package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// DeleteIntegration implements [integrationv1.IntegrationServiceServer].
func (s *Service) DeleteIntegration(ctx context.Context, req *integrationv1.DeleteIntegrationRequest) (*integrationv1.DeleteIntegrationResponse, error) {
	return forward[integrationv1.DeleteIntegrationResponse](ctx, s, integrationv1.IntegrationService_DeleteIntegration_FullMethodName, req)
}
