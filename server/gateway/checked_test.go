package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/inproc"
)

// copier is an IntegrationService that keeps what a copy was called with.
type copier struct {
	integrationv1.UnimplementedIntegrationServiceServer
	variables, checked string
}

func (c *copier) CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	c.variables, c.checked = req.GetVariablesJson(), exchange.FromContext(ctx).CheckedJSON
	return &integrationv1.CopyTemplateResponse{Integration: &integrationv1.Integration{Id: "i"}}, nil
}

// The service need not walk over variables that the gateway has walked over.
func TestUnary_VariablesThatWereChecked_AreToldToTheService(t *testing.T) {
	var c copier
	channel := inproc.New(inproc.Options{})
	integrationv1.RegisterIntegrationServiceServer(channel, &c)
	h, _ := newHandler(t, nil, func(cfg *gateway.Config) { cfg.Channel = channel })
	r := httptest.NewRequest(http.MethodPost, "/v1/integration/template/3c90c3cc-0d44-4b50-8888-8dd25736052a/copy",
		strings.NewReader(`{"variables":{"b":2,"a":1}}`))
	ctx, _ := exchange.NewContext(r.Context())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(ctx))
	if want := `{"a":1,"b":2}`; w.Code != http.StatusCreated || c.variables != want || c.checked != want {
		t.Errorf("%d, variables %q, checked %q", w.Code, c.variables, c.checked)
	}
}
