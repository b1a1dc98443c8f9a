package openapi_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/contract/surface"
	"github.com/digate/digate/server/openapi"
)

// What the document says of Diga's operations is what the contract says: no property,
// type, value or bound differs. digate's own headers and routes come on top, and what
// Diga documents and a .proto cannot say.
func TestDocument_OperationsOfDiga_AreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	methods, err := contract.Load(contract.Integration())
	if err != nil {
		t.Fatal(err)
	}
	needed := surface.OfContract(methods)
	document, err := surface.OfOpenAPI(openapi.JSON())
	if err != nil {
		t.Fatal(err)
	}
	routes := 0
	for _, f := range surface.Diff(needed, document) {
		switch {
		case f.Change == "route_new":
			routes++
		case f.Class == surface.Additive && strings.Contains(f.Subject, " header "), of32Bits(f):
		default:
			t.Errorf("%s %s: %s: %s %v", f.Class, f.Change, f.Subject, f.Text, f.Places)
		}
	}
	if routes != 5 {
		t.Errorf("%d routes of digate's own, want 5: three streams, the preview, and bulk", routes)
	}
	// The other way round, which shows what the document promises of a response and the
	// contract does not.
	for _, f := range surface.Diff(document, needed) {
		if f.Change == "route_gone" || f.Change == "about" || strings.Contains(f.Subject, " header ") || of32Bits(f) || ofDiga(f) {
			continue
		}
		// In a request, null counts as absent.
		if f.Change != "null" || slices.ContainsFunc(f.Places, func(p surface.Place) bool { return p.Part != "request" }) {
			t.Errorf("the contract lacks it: %s %s: %s: %s %v", f.Class, f.Change, f.Subject, f.Text, f.Places)
			if f.Change == "null" {
				t.Logf("%s: REQUIRED in the .proto, if every response has it, otherwise optional; ofDiga lists what only Diga's document says", f.Subject)
			}
		}
	}
}

// of32Bits reports whether a difference is a bound of digate's integers in requests.
func of32Bits(f surface.Finding) bool {
	return f.Change == "limit" && (strings.HasSuffix(f.Text, " -2.147483648e+09") || strings.HasSuffix(f.Text, " 2.147483647e+09"))
}

// ofDiga reports whether a difference is what Diga documents and the contract does not
// say.
func ofDiga(f surface.Finding) bool {
	switch f.Change {
	case "format":
		return f.Places[0].Part == "response" && strings.HasSuffix(f.Subject, "id")
	case "null":
		return slices.Contains([]string{"Integration.requires_setup", "HttpTool.approval_required", "McpTool.approval_required"}, f.Subject)
	case "required":
		return f.Subject == "HttpTool.headers"
	case "type":
		return f.Subject == "QueryParam.fixed_value" || f.Subject == "BodyParam.fixed_value"
	}
	return false
}
