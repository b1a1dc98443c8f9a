package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// ListIntegrations implements [integrationv1.IntegrationServiceServer].
func (s *Service) ListIntegrations(ctx context.Context, req *integrationv1.ListIntegrationsRequest) (*integrationv1.ListIntegrationsResponse, error) {
	return forward[integrationv1.ListIntegrationsResponse](ctx, s, integrationv1.IntegrationService_ListIntegrations_FullMethodName, req)
}
