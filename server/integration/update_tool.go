package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// UpdateTool implements [integrationv1.IntegrationServiceServer].
func (s *Service) UpdateTool(ctx context.Context, req *integrationv1.UpdateToolRequest) (*integrationv1.UpdateToolResponse, error) {
	return forward[integrationv1.UpdateToolResponse](ctx, s, integrationv1.IntegrationService_UpdateTool_FullMethodName, req)
}
