package main

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

func TestToolPlaceholders_EveryPlace_IsSearched(t *testing.T) {
	t.Parallel()
	tool := new(integrationv1.HttpTool)
	if err := protojson.Unmarshal([]byte(`{"endpointPath": "/{id}/<<a>>/<<b>>", "headers": {"X-<<no>>": "<<c>>"},
		"query": [{"fixedValue": ["<<d>>", {"x": "<<e>>"}, 1, null]}], "path": [{"fixedValue": "<<f>>"}], "description": "<<no>>",
		"body": [{"properties": [{"properties": [{"fixedValue": "<<g>> <<a>> << <<>>"}]}]}]}`), tool); err != nil {
		t.Fatal(err)
	}
	if got, want := toolPlaceholders(tool), []string{"a", "b", "c", "d", "e", "f", "g"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := toolPlaceholders(nil); got != nil {
		t.Errorf("an MCP tool has %q", got)
	}
}
