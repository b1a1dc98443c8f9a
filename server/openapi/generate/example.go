package main

import "github.com/digate/digate/server/contract"

// The ids in the examples. `digate dev` has them all: the template is built into its
// emulator, and cmd/digate/sample.yaml has the rest. DeleteIntegration and DeleteTool have
// ids of their own, so that the examples succeed in any order.
const (
	exampleTemplate    = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	exampleIntegration = "0198c0de-4d2a-7c11-9b6e-5f0a7d3c2b10"
	exampleTool        = "0198c0de-4d2b-7d52-8a1f-2c6e9b40d713"
	deletedIntegration = "0198c0de-4d2c-7a6e-b3d0-71e85c94af26"
	deletedTool        = "0198c0de-4d2d-7f18-9c47-e6035ba21d89"
)

// parameterExamples are example values of parameters, by name.
var parameterExamples = map[string]any{
	"template_id": exampleTemplate, "integration_id": exampleIntegration, "tool_id": exampleTool,
	"limit": 20, "language": "es", "order": "asc", "max_items": 100,
}

// deletedExamples replace parameterExamples for methods that delete, by the method's
// name.
var deletedExamples = map[string]map[string]any{
	"DeleteIntegration": {"integration_id": deletedIntegration},
	"DeleteTool":        {"tool_id": deletedTool},
}

// parameterExample returns the example of a method's parameter, and whether there is one.
func parameterExample(m *contract.Method, name string) (any, bool) {
	if example, ok := deletedExamples[string(m.Descriptor.Name())][name]; ok {
		return example, true
	}
	example, ok := parameterExamples[name]
	return example, ok
}

var copyExample = object{
	{"name", "My shop"}, {"api_key", "k-123"}, {"variables", object{{"shop", "acme"}}},
}

// requestExamples are request bodies that `digate dev` accepts, by the method's name.
var requestExamples = map[string]object{
	"CopyTemplate":        copyExample,
	"PreviewCopyTemplate": copyExample,
	"CreateIntegration": {
		{"name", "Orders"}, {"base_url", "https://api.example.com/v1"}, {"integration_type", "HTTP"},
		{"description", "The orders of our shop"}, {"headers", object{{"Accept", "application/json"}}},
	},
	"UpdateIntegration": {{"name", "Our shop"}, {"description", nil}},
	"CreateTool": {
		{"name", "get_order"}, {"description", "Returns an order"}, {"endpoint_path", "/orders/{order_id}"}, {"method", "GET"},
		{"path", []object{{{"name", "order_id"}, {"description", "The order's number"}}}},
		{"query", []object{{{"name", "lines"}, {"data_type", "boolean"}, {"value_source", "fixed"}, {"fixed_value", true}}}},
		{"timeout", 5},
	},
	"UpdateTool":       {{"description", "Returns an order with its lines"}, {"timeout", 10}},
	"SetToolApprovals": {{"tools", []object{{{"tool_id", exampleTool}, {"approval_required", true}}}}},
}

const bulkExample = `{"template_id":"` + exampleTemplate + `","request_id":"import-1","name":"First shop","api_key":"k-123","variables":{"shop":"acme"}}
{"template_id":"` + exampleTemplate + `","request_id":"import-2","name":"Second shop","api_key":"k-456","variables":{"shop":"globex"}}
`

// responseExamples are the responses to these requests, by the method's name. Real
// responses have other times, and a new integration has another id.
var responseExamples = map[string]object{
	"CopyTemplate":   shopExample("My shop", templateDescription),
	"GetIntegration": shopExample("My shop", templateDescription),
	"CreateIntegration": {
		{"id", "0198c0de-4d2e-7b40-a5c2-3f9d08e71b64"}, {"name", "Orders"}, {"base_url", "https://api.example.com/v1"},
		{"auth_type", "NONE"}, {"integration_type", "HTTP"}, {"created_at", exampleTime}, {"updated_at", exampleTime},
		{"description", "The orders of our shop"}, {"auth_key", nil}, {"headers", object{{"Accept", "application/json"}}}, {"requires_setup", false},
		{"source_integration_template_id", nil},
	},
	"UpdateIntegration": shopExample("Our shop", nil),
}

const (
	exampleTime         = "2026-11-30T09:15:00.123456Z"
	templateDescription = "Consulta pedidos, productos y existencias de una tienda Shopify."
)

// shopExample returns the integration that a copy makes, as it is or after an update.
func shopExample(name string, description any) object {
	return object{
		{"id", exampleIntegration}, {"name", name}, {"base_url", "https://acme.myshopify.com/admin/api/2026-07"},
		{"auth_type", "API_KEY"}, {"integration_type", "HTTP"}, {"created_at", exampleTime}, {"updated_at", exampleTime},
		{"description", description}, {"auth_key", "k-123"}, {"headers", object{{"Accept", "application/json"}}}, {"requires_setup", false},
		{"source_integration_template_id", exampleTemplate},
	}
}
