package gateway_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/inproc"
)

// tools is an IntegrationService that has one tool.
type tools struct {
	integrationv1.UnimplementedIntegrationServiceServer
}

func (tools) GetTool(_ context.Context, req *integrationv1.GetToolRequest) (*integrationv1.GetToolResponse, error) {
	switch req.ToolId {
	case "tool":
		return &integrationv1.GetToolResponse{Tool: &integrationv1.Tool{Tool: &integrationv1.Tool_Http{Http: &integrationv1.HttpTool{Id: "tool"}}}}, nil
	case "panic":
		panic("oh")
	default:
		return nil, apierror.Draining()
	}
}

func (tools) BulkCopyTemplate(bulkStream) error { return apierror.Draining() }

func TestObserver_EveryRequest_IsOneOperationWithItsMethodAndError(t *testing.T) {
	t.Parallel()
	const getTool, create, bulk = "/diga.integration.v1.IntegrationService/GetTool",
		"/diga.integration.v1.IntegrationService/CreateIntegration", "/diga.integration.v1.IntegrationService/BulkCopyTemplate"
	for name, c := range map[string]struct {
		verb, path, body string
		method, reason   string
	}{
		"success":         {"GET", "/v1/integration/x/tool/tool", "", getTool, ""},
		"the call failed": {"GET", "/v1/integration/x/tool/other", "", getTool, apierror.ReasonDraining},
		"panic":           {"GET", "/v1/integration/x/tool/panic", "", getTool, ""},
		"body":            {"POST", "/v1/integration", "{", create, apierror.ReasonInvalidRequest},
		"body too large":  {"POST", "/v1/integration", strings.Repeat(" ", 2<<20), create, apierror.ReasonRequestTooLarge},
		"no method":       {"PUT", "/v1/integration/x", "", "", apierror.ReasonMethodNotAllowed},
		"no route":        {"GET", "/v2", "", "", apierror.ReasonRouteNotFound},
		"bulk":            {"POST", gateway.BulkPath, "", bulk, apierror.ReasonDraining},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			channel := inproc.New(inproc.Options{})
			integrationv1.RegisterIntegrationServiceServer(channel, tools{})
			h, observed := newHandler(t, nil, func(c *gateway.Config) { c.Channel = channel })
			r := httptest.NewRequest(c.verb, "/", strings.NewReader(c.body))
			r.URL.Path = c.path
			ctx, ex := exchange.NewContext(t.Context())
			r = r.WithContext(ctx)
			func() {
				defer func() {
					if p := recover(); (p != nil) != (name == "panic") {
						t.Errorf("panicked with %v", p)
					}
				}()
				h.ServeHTTP(httptest.NewRecorder(), r)
			}()
			ops := observed.ended()
			if len(ops) == 1 && ops[0].ex != ex {
				t.Error("observed without its exchange")
			}
			if len(ops) != 1 || ops[0].method != c.method || (ops[0].err != nil) != (c.reason != "") {
				t.Fatalf("observed %v", ops)
			}
			if err := ops[0].err; err != nil && apierror.FromError(err).Reason != c.reason {
				t.Errorf("observed %v, want %s", err, c.reason)
			}
		})
	}
}
