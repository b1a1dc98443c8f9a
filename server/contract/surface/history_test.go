package surface_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/contract/surface"
)

// published returns one of Diga's own documents. They are beside the repository, where
// not everybody has them: a test of one is skipped without it.
func published(t *testing.T, name string) *surface.Surface {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "contract", name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("Diga's documents are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

const newest = "diga-integration-openapi.json"

func ours(t *testing.T) *surface.Surface {
	t.Helper()
	c, err := contract.Load(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	return surface.OfContract(c)
}

func TestDiff_ContractAndDigasNewestDocument_IsNothing(t *testing.T) {
	t.Parallel()
	if got := surface.Diff(ours(t), published(t, newest)); len(got) > 0 {
		t.Errorf("%q", told(got))
	}
}

func TestDiff_ContractAndAnEarlierDocument_NamesTheMethods(t *testing.T) {
	t.Parallel()
	got := told(surface.Diff(ours(t), published(t, "history/2026-04-07.json")))
	want := []string{
		"breaking gone CreateToolRequest.path",
		"breaking gone HttpTool.path x4",
		"breaking gone Integration.requires_setup x4",
		"breaking gone Integration.source_integration_template_id x4",
		"breaking gone UpdateToolRequest.path",
		"breaking route_gone CopyTemplate",
		"breaking route_gone GetTemplate",
		"breaking route_gone ListTemplates",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// From each of Diga's documents to the next, each change is found, and nothing else.
// The changes were found by hand, by reading the documents side by side.
func TestDiff_DigasOwnHistory_IsFoundWhole(t *testing.T) {
	t.Parallel()
	for _, step := range []struct {
		from, to string
		want     []string
	}{
		{"history/2025-11-20.json", "history/2026-03-11.json", []string{
			// Lists and creates.
			"additive new GET /v1/integration query page",
			"additive new PaginatedResponse_IntegrationResponse_.current_page",
			"additive new PaginatedResponse_IntegrationResponse_.total_pages",
			"breaking status POST /v1/integration response",
			"breaking status POST /v1/integration/{integration_id}/tool response",
			// Integrations.
			"breaking gone IntegrationResponse.company_id x4",
			"cosmetic value_gone IntegrationResponse.auth_type x4", // OAUTH
			"cosmetic type IntegrationResponse.headers.* x4",
			"breaking type CreateIntegrationRequest.headers.*",
			"breaking type UpdateIntegrationRequest.headers.*",
			"breaking null UpdateIntegrationRequest.name",
			"breaking null UpdateIntegrationRequest.base_url",
			// The list of tools, whose response was not described before.
			"additive new GET /v1/integration/{integration_id}/tool query page",
			"breaking format GET /v1/integration/{integration_id}/tool query after",
			"breaking format GET /v1/integration/{integration_id}/tool query before",
			"breaking limit GET /v1/integration/{integration_id}/tool query limit", // minimum
			"breaking limit GET /v1/integration/{integration_id}/tool query limit", // maximum
			"cosmetic type GET /v1/integration/{integration_id}/tool response",
			// tool_identifier is tool_id now, a UUID.
			"cosmetic renamed GET /v1/integration/{integration_id}/tool/{tool_identifier} path tool_identifier",
			"breaking format GET /v1/integration/{integration_id}/tool/{tool_identifier} path tool_identifier",
			// Tools in requests.
			"additive new CreateHttpToolRequestSchema.execution_audio",
			"additive new CreateHttpToolRequestSchema.pre_speech",
			"breaking renamed CreateHttpToolRequestSchema.aprove_required",
			"breaking type CreateHttpToolRequestSchema.headers.*",
			"cosmetic default CreateHttpToolRequestSchema.timeout",
			"additive new UpdateHttpToolRequestSchema.execution_audio",
			"additive new UpdateHttpToolRequestSchema.pre_speech",
			"breaking renamed UpdateHttpToolRequestSchema.aprove_required",
			"breaking null UpdateHttpToolRequestSchema.aprove_required",
			"breaking type UpdateHttpToolRequestSchema.headers.*",
			"breaking null UpdateHttpToolRequestSchema.name",
			"breaking null UpdateHttpToolRequestSchema.description",
			"breaking null UpdateHttpToolRequestSchema.method",
			"breaking renamed ToolApprovalUpdate.aprove_required",
			// Tools in responses.
			"additive new HttpToolResponseSchema.execution_audio x3",
			"additive new HttpToolResponseSchema.pre_speech x3",
			"breaking renamed HttpToolResponseSchema.aprove_required x3",
			"breaking required HttpToolResponseSchema.description x3",
			"cosmetic required HttpToolResponseSchema.headers x3",
			"cosmetic type HttpToolResponseSchema.headers.* x3",
			"cosmetic required HttpToolResponseSchema.method x3",
			"cosmetic null HttpToolResponseSchema.method x3",
			"cosmetic default HttpToolResponseSchema.timeout x3",
			"breaking renamed McpToolSchema.aprove_required x3",
			"breaking renamed McpToolSchema.inputSchema x3",
			// The schema of a tool's parameters is three now: those of the query are no objects.
			"additive value_new ParamSchema-Input.value_source x4", // dynamic
			"additive type ParamSchema-Input.fixed_value x4",
			"breaking gone ParamSchema-Input.properties x2",
			"breaking value_gone ParamSchema-Input.data_type x2", // object
			"breaking value_new ParamSchema-Output.value_source x6",
			"breaking type ParamSchema-Output.fixed_value x6",
			"breaking gone ParamSchema-Output.properties x3",
			"cosmetic value_gone ParamSchema-Output.data_type x3",
			// The document itself.
			"cosmetic about document.title",
			"cosmetic about document.version",
		}},
		{"history/2026-03-11.json", "history/2026-04-07.json", []string{
			"cosmetic other_keys McpToolSchema.parameters x4",
		}},
		{"history/2026-04-07.json", "history/2026-07-03.json", []string{
			"additive new CreateHttpToolRequestSchema.path",
			"additive new HttpToolResponseSchema.path x4",
			"additive new IntegrationResponse.requires_setup x4",
			"additive new IntegrationResponse.source_integration_template_id x4",
			"additive new UpdateHttpToolRequestSchema.path",
			"additive route_new GET /v1/integration/template",
			"additive route_new GET /v1/integration/template/{template_id}",
			"additive route_new POST /v1/integration/template/{template_id}/copy",
		}},
		{"history/2026-07-03.json", newest, []string{
			"cosmetic about document.servers",
		}},
	} {
		t.Run(step.to, func(t *testing.T) {
			t.Parallel()
			got := told(surface.Diff(published(t, step.from), published(t, step.to)))
			slices.Sort(step.want)
			for _, line := range got {
				if !slices.Contains(step.want, line) {
					t.Errorf("found, and is no change: %s", line)
				}
			}
			if !slices.Equal(got, step.want) {
				t.Errorf("got  %q\nwant %q", got, step.want)
			}
		})
	}
}
