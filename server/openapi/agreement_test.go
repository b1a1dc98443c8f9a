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
// type, value or bound differs. digate's own headers and routes come on top.
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
		case f.Class == surface.Additive && strings.Contains(f.Subject, " header "):
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
		inRequest := func(p surface.Place) bool { return p.Part == "request" }
		switch {
		case f.Change == "route_gone", f.Change == "about", strings.Contains(f.Subject, " header "):
		case f.Change == "null" && !slices.ContainsFunc(f.Places, func(p surface.Place) bool { return !inRequest(p) }):
			// In a request, null counts as absent.
		default:
			t.Errorf("the contract lacks it: %s %s: %s: %s %v", f.Class, f.Change, f.Subject, f.Text, f.Places)
		}
	}
}
