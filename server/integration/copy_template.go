package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// CopyTemplate implements [integrationv1.IntegrationServiceServer].
func (s *Service) CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	return forward[integrationv1.CopyTemplateResponse](ctx, s, integrationv1.IntegrationService_CopyTemplate_FullMethodName, req)
}
