package integration

import (
	"context"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/upstream"
)

// GetTemplate implements [integrationv1.IntegrationServiceServer].
func (s *Service) GetTemplate(ctx context.Context, req *integrationv1.GetTemplateRequest) (*integrationv1.GetTemplateResponse, error) {
	return forward[integrationv1.GetTemplateResponse](ctx, s, integrationv1.IntegrationService_GetTemplate_FullMethodName, req)
}

// ListTemplates implements [integrationv1.IntegrationServiceServer].
func (s *Service) ListTemplates(ctx context.Context, req *integrationv1.ListTemplatesRequest) (*integrationv1.ListTemplatesResponse, error) {
	return forward[integrationv1.ListTemplatesResponse](ctx, s, integrationv1.IntegrationService_ListTemplates_FullMethodName, req)
}

// GetIntegration implements [integrationv1.IntegrationServiceServer].
func (s *Service) GetIntegration(ctx context.Context, req *integrationv1.GetIntegrationRequest) (*integrationv1.GetIntegrationResponse, error) {
	return forward[integrationv1.GetIntegrationResponse](ctx, s, integrationv1.IntegrationService_GetIntegration_FullMethodName, req)
}

// ListIntegrations implements [integrationv1.IntegrationServiceServer].
func (s *Service) ListIntegrations(ctx context.Context, req *integrationv1.ListIntegrationsRequest) (*integrationv1.ListIntegrationsResponse, error) {
	return forward[integrationv1.ListIntegrationsResponse](ctx, s, integrationv1.IntegrationService_ListIntegrations_FullMethodName, req)
}

// UpdateIntegration implements [integrationv1.IntegrationServiceServer].
func (s *Service) UpdateIntegration(ctx context.Context, req *integrationv1.UpdateIntegrationRequest) (*integrationv1.UpdateIntegrationResponse, error) {
	return forward[integrationv1.UpdateIntegrationResponse](ctx, s, integrationv1.IntegrationService_UpdateIntegration_FullMethodName, req)
}

// DeleteIntegration implements [integrationv1.IntegrationServiceServer].
func (s *Service) DeleteIntegration(ctx context.Context, req *integrationv1.DeleteIntegrationRequest) (*integrationv1.DeleteIntegrationResponse, error) {
	return forward[integrationv1.DeleteIntegrationResponse](ctx, s, integrationv1.IntegrationService_DeleteIntegration_FullMethodName, req)
}

// GetTool implements [integrationv1.IntegrationServiceServer].
func (s *Service) GetTool(ctx context.Context, req *integrationv1.GetToolRequest) (*integrationv1.GetToolResponse, error) {
	return forward[integrationv1.GetToolResponse](ctx, s, integrationv1.IntegrationService_GetTool_FullMethodName, req)
}

// ListTools implements [integrationv1.IntegrationServiceServer].
func (s *Service) ListTools(ctx context.Context, req *integrationv1.ListToolsRequest) (*integrationv1.ListToolsResponse, error) {
	return forward[integrationv1.ListToolsResponse](ctx, s, integrationv1.IntegrationService_ListTools_FullMethodName, req)
}

// UpdateTool implements [integrationv1.IntegrationServiceServer].
func (s *Service) UpdateTool(ctx context.Context, req *integrationv1.UpdateToolRequest) (*integrationv1.UpdateToolResponse, error) {
	return forward[integrationv1.UpdateToolResponse](ctx, s, integrationv1.IntegrationService_UpdateTool_FullMethodName, req)
}

// SetToolApprovals implements [integrationv1.IntegrationServiceServer].
func (s *Service) SetToolApprovals(ctx context.Context, req *integrationv1.SetToolApprovalsRequest) (*integrationv1.SetToolApprovalsResponse, error) {
	return forward[integrationv1.SetToolApprovalsResponse](ctx, s, integrationv1.IntegrationService_SetToolApprovals_FullMethodName, req)
}

// DeleteTool implements [integrationv1.IntegrationServiceServer].
func (s *Service) DeleteTool(ctx context.Context, req *integrationv1.DeleteToolRequest) (*integrationv1.DeleteToolResponse, error) {
	return forward[integrationv1.DeleteToolResponse](ctx, s, integrationv1.IntegrationService_DeleteTool_FullMethodName, req)
}

// validate validates a request. It does not validate JSON again that was validated when
// it was read.
func (s *Service) validate(ctx context.Context, req proto.Message) error {
	checked := ""
	if ex := exchange.FromContext(ctx); ex != nil {
		checked = ex.CheckedJSON
	}
	return s.rules.ValidateRead(req, checked)
}

// forward validates a request, sends it to Diga and returns the response.
func forward[M any, Response interface {
	*M
	proto.Message
}](ctx context.Context, s *Service, method string, req proto.Message) (Response, error) {
	if err := s.validate(ctx, req); err != nil {
		return nil, err
	}
	resp := Response(new(M))
	if err := s.upstream.Call(ctx, upstream.Call{Method: method, Request: req, Response: resp}); err != nil {
		return nil, err
	}
	return resp, nil
}
