package digajson_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
)

// A person reads on the status page what departed, in words.
func TestKinds_AsDrift_EachHasAMeaning(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{"null"}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			for i, value := range v.Values {
				if text, ok := value.(*ast.BasicLit); ok && strings.HasPrefix(strings.ToLower(v.Names[i].Name), "kind") {
					kind, _ := strconv.Unquote(text.Value)
					kinds = append(kinds, kind)
				}
			}
		}
		return true
	})
	if len(kinds) < 20 {
		t.Fatalf("error.go has only the kinds %q", kinds)
	}
	for _, kind := range kinds {
		if got := (exchange.Drift{Kind: kind}).Meaning(); got == kind && kind != digajson.KindJSON { // which is no drift
			t.Errorf("server/exchange/meaning.go says nothing of %s", kind)
		}
	}
}
