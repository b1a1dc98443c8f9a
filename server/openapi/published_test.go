package openapi_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/contract/surface"
	"github.com/digate/digate/server/openapi"
)

// explanation is why some differences between the document and Diga's own are right.
type explanation struct {
	why string
	is  func(surface.Finding) bool
}

var explained = []explanation{
	{"digate's own header", func(f surface.Finding) bool { return f.Change == "gone" && strings.Contains(f.Subject, " header ") }},
	{"digate's own route", func(f surface.Finding) bool { return f.Change == "route_gone" && own(f.Places[0].Route) }},
	{"digate sends no value where its caller sent none, so the default is Diga's: the description has it", func(f surface.Finding) bool { return f.Change == "default" }},
	{"a query has no null: a parameter is there, or it is not", func(f surface.Finding) bool { return f.Change == "null" && f.Places[0].Part == "query" }},
	{"a request that creates something may have null for any optional field: digate leaves the field out", func(f surface.Finding) bool {
		return f.Change == "null" && strings.HasPrefix(f.Subject, "CreateToolRequest.") && only(f, "request")
	}},
	{"the same, within the parameters of a tool; a line of a stream has null where Diga's response lacked the value", func(f surface.Finding) bool {
		return f.Change == "null" && slices.Contains([]string{
			"QueryParam.required", "QueryParam.value_source", "BodyParam.required", "BodyParam.value_source", "PathParam.required", "PathParam.value_source",
		}, f.Subject)
	}},
	{"a line of a stream has null where Diga's response lacked the value", func(f surface.Finding) bool {
		return f.Change == "null" && f.Subject == "HttpTool.pre_speech"
	}},
	{"digate's integers have 32 bits", of32Bits},
}

func own(route string) bool {
	return slices.ContainsFunc([]string{":stream", ":bulkCopy", ":previewCopy", openapi.PathJSON, openapi.PathYAML}, func(end string) bool { return strings.HasSuffix(route, end) })
}

func only(f surface.Finding, part string) bool {
	return !slices.ContainsFunc(f.Places, func(p surface.Place) bool { return p.Part != part })
}

// Between the document and that of Diga no property, type, bound or nullability
// differs, nor what is required, but for what is explained.
func TestDocument_AndDigasOwn_DifferAsExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "contract", "diga-integration-openapi.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("Diga's document is not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	diga, err := surface.OfOpenAPI(text)
	if err != nil {
		t.Fatal(err)
	}
	document, err := surface.OfOpenAPI(openapi.JSON())
	if err != nil {
		t.Fatal(err)
	}
	used := make([]bool, len(explained))
	for _, f := range surface.Diff(document, diga) {
		i := slices.IndexFunc(explained, func(e explanation) bool { return e.is(f) })
		switch {
		case f.Change == "about":
			continue
		case i < 0:
			t.Errorf("%s %s: %s: %s %v", f.Class, f.Change, f.Subject, f.Text, f.Places)
			continue
		}
		used[i] = true
	}
	for i, e := range explained {
		if !used[i] {
			t.Errorf("there is no such difference any more: %s", e.why)
		}
	}
}
