package integration

import (
	"context"
	"errors"
	"strings"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/preview"
	"github.com/digate/digate/server/upstream"
)

// PreviewCopyTemplate implements [integrationv1.IntegrationServiceServer].
func (s *Service) PreviewCopyTemplate(ctx context.Context, req *integrationv1.PreviewCopyTemplateRequest) (*integrationv1.PreviewCopyTemplateResponse, error) {
	if err := s.rules.Validate(req); err != nil {
		return nil, err
	}
	t, err := s.template(ctx, req.GetTemplateId())
	if err != nil {
		return nil, err
	}
	if ex := exchange.FromContext(ctx); ex != nil {
		ex.Body, ex.Relay = nil, false // they are the template's
	}
	resp, err := preview.Of(t, req)
	if errors.Is(err, preview.ErrTooLarge) {
		return nil, apierror.PreviewTooLarge()
	}
	return resp, err
}

// readTemplate reads a template beside a call's own request. One that is not whole,
// or not the one that was asked for, tells nothing of a copy.
func (s *Service) readTemplate(ctx context.Context, id string) (*integrationv1.IntegrationTemplate, error) {
	var resp integrationv1.GetTemplateResponse
	ex, err := s.observedRead(ctx, integrationv1.IntegrationService_GetTemplate_FullMethodName, &integrationv1.GetTemplateRequest{TemplateId: id}, &resp)
	if err != nil {
		return nil, err
	}
	t := resp.GetTemplate()
	for _, d := range ex.Drift {
		if !d.Kept && (d.Path[0] == "template" || strings.HasPrefix(d.Path[0], "(")) {
			return nil, apierror.Drifted(ex.Drift)
		}
	}
	if !strings.EqualFold(t.GetId(), id) {
		return nil, apierror.Drifted([]exchange.Drift{{Path: []string{"id"}, Kind: "another template's"}})
	}
	return t, nil
}

// template reads a template as the request of a call.
func (s *Service) template(ctx context.Context, id string) (*integrationv1.IntegrationTemplate, error) {
	var resp integrationv1.GetTemplateResponse
	err := s.upstream.Call(ctx, upstream.Call{
		Method:   integrationv1.IntegrationService_GetTemplate_FullMethodName,
		Request:  &integrationv1.GetTemplateRequest{TemplateId: id},
		Response: &resp,
	})
	return resp.GetTemplate(), err
}
