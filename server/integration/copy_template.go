package integration

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
)

// CopyTemplate implements [integrationv1.IntegrationServiceServer].
func (s *Service) CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	if req.GetRequestId() == "" && !s.required {
		return forward[integrationv1.CopyTemplateResponse](ctx, s, integrationv1.IntegrationService_CopyTemplate_FullMethodName, req)
	}
	if err := s.rules.Validate(req); err != nil {
		return nil, err
	}
	if req.GetRequestId() == "" {
		return nil, apierror.InvalidRequest(apierror.Violation{
			Field: "request_id", Description: "is required by this server", Reason: "MISSING",
		})
	}
	in, replayed, err := s.copies.CopyTemplate(ctx, req)
	if err != nil {
		return nil, err
	}
	if replayed {
		_ = grpc.SetHeader(ctx, metadata.Pairs(contract.ReplayedKey, "true"))
	}
	return &integrationv1.CopyTemplateResponse{Integration: in}, nil
}
