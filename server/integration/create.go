package integration

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
)

// CopyTemplate implements [integrationv1.IntegrationServiceServer].
func (s *Service) CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	before := s.before(req, nil)
	if _, limited := ctx.Deadline(); (before.Check != nil || before.TemplateName != nil) && !limited && s.timeout > 0 {
		// Reading the template and making the copy may together take no longer than a
		// copy alone.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	if !s.atMostOnce(req) {
		if before.Check != nil {
			if err := s.validate(ctx, req); err != nil {
				return nil, err
			}
			if err := before.Check(ctx); err != nil {
				return nil, err
			}
		}
		return forward[integrationv1.CopyTemplateResponse](ctx, s, integrationv1.IntegrationService_CopyTemplate_FullMethodName, req)
	}
	in, err := once(ctx, s, req, func(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.Integration, bool, error) {
		return s.copies.CopyTemplate(ctx, req, before)
	})
	if err != nil {
		return nil, err
	}
	return &integrationv1.CopyTemplateResponse{Integration: in}, nil
}

// CreateIntegration implements [integrationv1.IntegrationServiceServer].
func (s *Service) CreateIntegration(ctx context.Context, req *integrationv1.CreateIntegrationRequest) (*integrationv1.CreateIntegrationResponse, error) {
	if !s.atMostOnce(req) {
		return forward[integrationv1.CreateIntegrationResponse](ctx, s, integrationv1.IntegrationService_CreateIntegration_FullMethodName, req)
	}
	in, err := once(ctx, s, req, s.copies.CreateIntegration)
	if err != nil {
		return nil, err
	}
	return &integrationv1.CreateIntegrationResponse{Integration: in}, nil
}

// CreateTool implements [integrationv1.IntegrationServiceServer].
func (s *Service) CreateTool(ctx context.Context, req *integrationv1.CreateToolRequest) (*integrationv1.CreateToolResponse, error) {
	if !s.atMostOnce(req) {
		return forward[integrationv1.CreateToolResponse](ctx, s, integrationv1.IntegrationService_CreateTool_FullMethodName, req)
	}
	tool, err := once(ctx, s, req, s.copies.CreateTool)
	if err != nil {
		return nil, err
	}
	return &integrationv1.CreateToolResponse{Tool: tool}, nil
}

// createRequest is the request of a method that creates something.
type createRequest interface {
	proto.Message
	GetRequestId() string
}

// atMostOnce reports whether a request has or needs a request id.
func (s *Service) atMostOnce(req createRequest) bool { return req.GetRequestId() != "" || s.required }

// once validates a request, which must have a request id, and makes its call at most
// once. It marks the response as replayed if another call created the resource.
func once[Request createRequest, Resource any](ctx context.Context, s *Service, req Request,
	create func(context.Context, Request) (_ Resource, replayed bool, _ error),
) (Resource, error) {
	var none Resource
	if err := s.validate(ctx, req); err != nil {
		return none, err
	}
	if req.GetRequestId() == "" {
		return none, apierror.InvalidRequest(apierror.Violation{
			Field: "request_id", Description: "is required by this server", Reason: "MISSING",
		})
	}
	created, replayed, err := create(ctx, req)
	if err != nil {
		return none, err
	}
	if replayed {
		if ex := exchange.FromContext(ctx); ex != nil {
			ex.Replayed = true
		}
		_ = grpc.SetHeader(ctx, metadata.Pairs(contract.ReplayedKey, "true"))
	}
	return created, nil
}
