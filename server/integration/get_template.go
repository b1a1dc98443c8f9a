package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// GetTemplate implements [integrationv1.IntegrationServiceServer].
func (s *Service) GetTemplate(ctx context.Context, req *integrationv1.GetTemplateRequest) (*integrationv1.GetTemplateResponse, error) {
	return forward[integrationv1.GetTemplateResponse](ctx, s, integrationv1.IntegrationService_GetTemplate_FullMethodName, req)
}
