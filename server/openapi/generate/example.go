package main

const (
	exampleTemplate    = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	exampleIntegration = "0198c0de-4d2a-7c11-9b6e-5f0a7d3c2b10"
	exampleTool        = "0198c0de-4d2b-7d52-8a1f-2c6e9b40d713"
)

// parameterExamples are example values of parameters. The template is one of those in
// `digate dev`.
var parameterExamples = map[string]any{
	"template_id": exampleTemplate,
	"limit":       20, "language": "es", "order": "asc", "max_items": 100,
}

var copyExample = object{
	{"name", "My shop"}, {"api_key", "k-123"}, {"variables", object{{"shop", "acme"}}},
}

// requestExamples are request bodies that `digate dev` accepts, by the method's name. The
// id of a tool is that of a tool in the integration.
var requestExamples = map[string]object{
	"CopyTemplate":        copyExample,
	"PreviewCopyTemplate": copyExample,
	"CreateIntegration": {
		{"name", "Orders"}, {"base_url", "https://api.example.com/v1"}, {"integration_type", "HTTP"},
		{"description", "The orders of our shop"}, {"headers", object{{"Accept", "application/json"}}},
	},
	"UpdateIntegration": {{"name", "Orders and returns"}, {"description", nil}},
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

// responseExamples are example response bodies, by message.
var responseExamples = map[string]object{
	"Integration": {
		{"id", exampleIntegration}, {"name", "My shop"}, {"base_url", "https://acme.myshopify.com/admin/api/2026-07"},
		{"auth_type", "API_KEY"}, {"integration_type", "HTTP"}, {"created_at", "2026-11-30T09:15:00.123456Z"}, {"updated_at", "2026-11-30T09:15:00.123456Z"},
		{"description", nil}, {"auth_key", "k-123"}, {"headers", object{}}, {"requires_setup", false},
		{"source_integration_template_id", exampleTemplate},
	},
}
