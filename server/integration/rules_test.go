package integration_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange/exchangetest"
	"github.com/digate/digate/server/integration"
	"github.com/digate/digate/server/upstream"
)

// recorder is an upstream that records the method called last.
type recorder struct {
	method string
	err    error
}

func (u *recorder) Call(_ context.Context, call upstream.Call) error {
	u.method = call.Method
	if u.err == nil {
		call.Response.(*integrationv1.CopyTemplateResponse).Integration = &integrationv1.Integration{Id: "1"}
	}
	return u.err
}

// noCopies is for tests that make no copy with a request id.
type noCopies struct{}

func (noCopies) CopyTemplate(context.Context, *integrationv1.CopyTemplateRequest, copies.Before) (*integrationv1.Integration, bool, error) {
	panic("a copy with a request id")
}

func (noCopies) RunCopyTemplate(
	context.Context, *integrationv1.CopyTemplateRequest, copies.Before, *copies.Runner,
) (*integrationv1.Integration, bool, error) {
	panic("a copy of a stream")
}

func (noCopies) CreateIntegration(context.Context, *integrationv1.CreateIntegrationRequest) (*integrationv1.Integration, bool, error) {
	panic("an integration with a request id")
}

func (noCopies) CreateTool(context.Context, *integrationv1.CreateToolRequest) (*integrationv1.Tool, bool, error) {
	panic("a tool with a request id")
}

func newService(u integration.Upstream, change ...func(*integration.Config)) (*integration.Service, error) {
	cfg := integration.Config{
		Upstream: u, Copies: noCopies{}, Observer: exchangetest.Observer(exchangetest.Ignore),
	}
	for _, f := range change {
		f(&cfg)
	}
	return integration.New(cfg)
}

const uuid = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

func TestCopyTemplate_ValidRequest_GoesUpstream(t *testing.T) {
	u := new(recorder)
	s, err := newService(u)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid})
	if err != nil || resp.GetIntegration().GetId() != "1" || u.method != integrationv1.IntegrationService_CopyTemplate_FullMethodName {
		t.Errorf("got %v, %v, method %q", resp, err, u.method)
	}
	u.err = errors.New("lost")
	if resp, err := s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid}); !errors.Is(err, u.err) || resp != nil {
		t.Errorf("got %v, %v", resp, err)
	}
}

func TestCopyTemplate_InvalidRequest_NamesEveryFieldAndGoesNowhere(t *testing.T) {
	u := new(recorder)
	s, err := newService(u)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: "x", RequestId: "\n"})
	var e *apierror.Error
	if !errors.As(err, &e) || e.Code != codes.InvalidArgument || len(e.Violations) != 2 ||
		e.Violations[0].Field != "template_id" || e.Violations[1].Field != "request_id" {
		t.Errorf("got %v", err)
	}
	if u.method != "" {
		t.Error("it was sent")
	}
}
