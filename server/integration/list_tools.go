package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// ListTools implements [integrationv1.IntegrationServiceServer].
func (s *Service) ListTools(ctx context.Context, req *integrationv1.ListToolsRequest) (*integrationv1.ListToolsResponse, error) {
	return forward[integrationv1.ListToolsResponse](ctx, s, integrationv1.IntegrationService_ListTools_FullMethodName, req)
}
