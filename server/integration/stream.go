package integration

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

// StreamTemplates implements [integrationv1.IntegrationServiceServer].
func (s *Service) StreamTemplates(req *integrationv1.StreamTemplatesRequest, out grpc.ServerStreamingServer[integrationv1.StreamTemplatesResponse]) error {
	if err := s.rules.Validate(req); err != nil {
		return err
	}
	return stream(out.Context(), s, &listing[*integrationv1.IntegrationTemplate]{
		after: req.After, most: req.MaxItems,
		page: func(ctx context.Context, after *string, limit int32) (page[*integrationv1.IntegrationTemplate], error) {
			resp := new(integrationv1.ListTemplatesResponse)
			return resp, s.readPage(ctx, integrationv1.IntegrationService_ListTemplates_FullMethodName,
				&integrationv1.ListTemplatesRequest{After: after, Limit: &limit, Order: req.GetOrder(), Language: req.Language}, resp)
		},
		id: (*integrationv1.IntegrationTemplate).GetId,
		send: func(t *integrationv1.IntegrationTemplate) error {
			return out.Send(&integrationv1.StreamTemplatesResponse{Template: t})
		},
	})
}

// StreamIntegrations implements [integrationv1.IntegrationServiceServer].
func (s *Service) StreamIntegrations(req *integrationv1.StreamIntegrationsRequest, out grpc.ServerStreamingServer[integrationv1.StreamIntegrationsResponse]) error {
	if err := s.rules.Validate(req); err != nil {
		return err
	}
	return stream(out.Context(), s, &listing[*integrationv1.Integration]{
		after: req.After, most: req.MaxItems,
		page: func(ctx context.Context, after *string, limit int32) (page[*integrationv1.Integration], error) {
			resp := new(integrationv1.ListIntegrationsResponse)
			return resp, s.readPage(ctx, integrationv1.IntegrationService_ListIntegrations_FullMethodName,
				&integrationv1.ListIntegrationsRequest{After: after, Limit: &limit, Order: req.GetOrder(), IntegrationType: req.GetIntegrationType()}, resp)
		},
		id: (*integrationv1.Integration).GetId,
		send: func(in *integrationv1.Integration) error {
			return out.Send(&integrationv1.StreamIntegrationsResponse{Integration: in})
		},
	})
}

// StreamTools implements [integrationv1.IntegrationServiceServer].
func (s *Service) StreamTools(req *integrationv1.StreamToolsRequest, out grpc.ServerStreamingServer[integrationv1.StreamToolsResponse]) error {
	if err := s.rules.Validate(req); err != nil {
		return err
	}
	return stream(out.Context(), s, &listing[*integrationv1.Tool]{
		after: req.After, most: req.MaxItems,
		page: func(ctx context.Context, after *string, limit int32) (page[*integrationv1.Tool], error) {
			resp := new(integrationv1.ListToolsResponse)
			return resp, s.readPage(ctx, integrationv1.IntegrationService_ListTools_FullMethodName,
				&integrationv1.ListToolsRequest{IntegrationId: req.GetIntegrationId(), After: after, Limit: &limit, Order: req.GetOrder()}, resp)
		},
		id: func(t *integrationv1.Tool) string {
			if mcp := t.GetMcp(); mcp != nil {
				return mcp.GetId()
			}
			return t.GetHttp().GetId()
		},
		send: func(t *integrationv1.Tool) error { return out.Send(&integrationv1.StreamToolsResponse{Tool: t}) },
	})
}

// readPage reads a page of a list. It fails if the page lacks its items or does not say
// whether more pages follow: the stream would end early as if it were complete.
func (s *Service) readPage(ctx context.Context, method string, req, resp proto.Message) error {
	ex, err := s.observedRead(ctx, method, req, resp)
	if err != nil {
		return err
	}
	for _, d := range ex.Drift {
		if len(d.Path) == 1 && (d.Path[0] == "data" || d.Path[0] == "has_more") {
			return apierror.Drifted(ex.Drift)
		}
	}
	return nil
}
