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
		ex.Body, ex.Relay = nil, false // they are those of the template
		if err := checkWhole(t, req.GetTemplateId(), ex.Drift); err != nil {
			return nil, err
		}
	}
	resp, err := preview.Of(t, req)
	if errors.Is(err, preview.ErrTooLarge) {
		return nil, apierror.PreviewTooLarge()
	}
	return resp, err
}

// readTemplate reads a template that a call needs in addition to its own request.
func (s *Service) readTemplate(ctx context.Context, id string) (*integrationv1.IntegrationTemplate, error) {
	var resp integrationv1.GetTemplateResponse
	ex, err := s.observedRead(ctx, integrationv1.IntegrationService_GetTemplate_FullMethodName, &integrationv1.GetTemplateRequest{TemplateId: id}, &resp)
	if err != nil {
		return nil, err
	}
	return resp.GetTemplate(), checkWhole(resp.GetTemplate(), id, ex.Drift)
}

// checkWhole returns an error for a template that is incomplete or has another id: it
// does not show what a copy would be.
func checkWhole(t *integrationv1.IntegrationTemplate, id string, drift []exchange.Drift) error {
	for _, d := range drift {
		if !d.Kept && (d.Path[0] == "template" || strings.HasPrefix(d.Path[0], "(")) {
			return apierror.Drifted(drift)
		}
	}
	if !strings.EqualFold(t.GetId(), id) {
		return apierror.Drifted([]exchange.Drift{{Path: []string{"id"}, Kind: "another template's"}})
	}
	return nil
}

// template reads the template that a call returns.
func (s *Service) template(ctx context.Context, id string) (*integrationv1.IntegrationTemplate, error) {
	var resp integrationv1.GetTemplateResponse
	err := s.upstream.Call(ctx, upstream.Call{
		Method:   integrationv1.IntegrationService_GetTemplate_FullMethodName,
		Request:  &integrationv1.GetTemplateRequest{TemplateId: id},
		Response: &resp,
	})
	return resp.GetTemplate(), err
}
