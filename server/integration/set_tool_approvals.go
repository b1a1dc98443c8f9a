package integration

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// SetToolApprovals implements [integrationv1.IntegrationServiceServer].
func (s *Service) SetToolApprovals(ctx context.Context, req *integrationv1.SetToolApprovalsRequest) (*integrationv1.SetToolApprovalsResponse, error) {
	return forward[integrationv1.SetToolApprovalsResponse](ctx, s, integrationv1.IntegrationService_SetToolApprovals_FullMethodName, req)
}
