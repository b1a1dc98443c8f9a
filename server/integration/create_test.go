package integration_test

import (
	"context"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/integration"
)

// fakeCopies makes copies with a request id as it is told.
type fakeCopies func(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.Integration, bool, error)

func (fakeCopies) CreateIntegration(_ context.Context, req *integrationv1.CreateIntegrationRequest) (*integrationv1.Integration, bool, error) {
	return &integrationv1.Integration{Id: req.GetRequestId()}, false, nil
}

func (fakeCopies) CreateTool(_ context.Context, req *integrationv1.CreateToolRequest) (*integrationv1.Tool, bool, error) {
	return &integrationv1.Tool{Tool: &integrationv1.Tool_Http{Http: &integrationv1.HttpTool{Id: req.GetRequestId()}}}, false, nil
}

func (f fakeCopies) CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest, before copies.Before) (*integrationv1.Integration, bool, error) {
	if before.Check != nil {
		if err := before.Check(ctx); err != nil {
			return nil, false, err
		}
	}
	return f(ctx, req)
}

func (f fakeCopies) RunCopyTemplate(
	ctx context.Context, req *integrationv1.CopyTemplateRequest, before copies.Before, _ *copies.Runner,
) (*integrationv1.Integration, bool, error) {
	return f.CopyTemplate(ctx, req, before)
}

func TestCopyTemplate_IDRequired_RefusesCallsWithout(t *testing.T) {
	t.Parallel()
	u := new(recorder)
	s, err := newService(u, func(c *integration.Config) {
		c.RequireRequestID = true
		c.Copies = fakeCopies(func(context.Context, *integrationv1.CopyTemplateRequest) (*integrationv1.Integration, bool, error) {
			return &integrationv1.Integration{Id: "id-0"}, false, nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid})
	e := apierror.FromError(err)
	if e.Reason != apierror.ReasonInvalidRequest || e.Outcome != exchange.NotSent || e.Violations[0].Field != "request_id" || u.method != "" {
		t.Errorf("without an id: %v %v %v, sent %q", e, e.Outcome, e.Violations, u.method)
	}
	resp, err := s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid, RequestId: "r"})
	if err != nil || resp.GetIntegration().GetId() != "id-0" {
		t.Errorf("with an id: %v %v", resp, err)
	}
}

// A copy without an id needs no ledger, and goes on where that is away.
func TestCopyTemplate_WithoutID_GoesPastTheCopies(t *testing.T) {
	t.Parallel()
	u := new(recorder)
	s, err := newService(u)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid})
	if err != nil || resp.GetIntegration().GetId() != "1" {
		t.Errorf("%v %v", resp, err)
	}
}
