package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// CreateTool implements [integrationv1.IntegrationServiceServer].
func (s *Service) CreateTool(ctx context.Context, req *integrationv1.CreateToolRequest) (*integrationv1.CreateToolResponse, error) {
	return forward[integrationv1.CreateToolResponse](ctx, s, integrationv1.IntegrationService_CreateTool_FullMethodName, req)
}
