package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// DeleteTool implements [integrationv1.IntegrationServiceServer].
func (s *Service) DeleteTool(ctx context.Context, req *integrationv1.DeleteToolRequest) (*integrationv1.DeleteToolResponse, error) {
	return forward[integrationv1.DeleteToolResponse](ctx, s, integrationv1.IntegrationService_DeleteTool_FullMethodName, req)
}
