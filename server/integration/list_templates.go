package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// ListTemplates implements [integrationv1.IntegrationServiceServer].
func (s *Service) ListTemplates(ctx context.Context, req *integrationv1.ListTemplatesRequest) (*integrationv1.ListTemplatesResponse, error) {
	return forward[integrationv1.ListTemplatesResponse](ctx, s, integrationv1.IntegrationService_ListTemplates_FullMethodName, req)
}
