package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// GetTool implements [integrationv1.IntegrationServiceServer].
func (s *Service) GetTool(ctx context.Context, req *integrationv1.GetToolRequest) (*integrationv1.GetToolResponse, error) {
	return forward[integrationv1.GetToolResponse](ctx, s, integrationv1.IntegrationService_GetTool_FullMethodName, req)
}
