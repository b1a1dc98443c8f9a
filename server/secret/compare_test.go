package secret_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compares are functions that compare texts, in a time that tells where they differ.
var compares = []string{"bytes.Equal", "bytes.Compare", "bytes.HasPrefix", "slices.Contains", "slices.Equal", "strings.Compare", "strings.Contains", "strings.EqualFold", "strings.HasPrefix"}

// compared are the functions that compare a secret's text, and why nobody who calls the
// server learns anything by it.
var compared = map[string]string{
	"accounts.Read": "compares what the operator's file holds with what it held before",
}

// SECURITY.md says that no secret is compared with what a caller sends. A new comparison
// has to be one in constant time, or to be in the list.
func TestReveal_IsComparedNowhere(t *testing.T) {
	t.Parallel()
	found := make(map[string]bool)
	for _, folder := range []string{"server", "cmd", "internal"} {
		root := filepath.Join("..", "..", folder)
		if err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && comparesSecret(f) {
					found[file.Name.Name+"."+f.Name.Name] = true
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for name := range found {
		if compared[name] == "" {
			t.Errorf("%s compares a secret: use crypto/subtle, or say why nobody learns anything by its time", name)
		}
	}
	for name := range compared {
		if !found[name] {
			t.Errorf("%s compares no secret", name)
		}
	}
}

func comparesSecret(f *ast.FuncDecl) (compares bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				compares = compares || reveals(n.X) || reveals(n.Y)
			}
		case *ast.CallExpr:
			if compareFunction(n.Fun) {
				compares = compares || slices.ContainsFunc(n.Args, reveals)
			}
		}
		return true
	})
	return compares
}

func compareFunction(f ast.Expr) bool {
	selector, ok := f.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	of, ok := selector.X.(*ast.Ident)
	return ok && slices.Contains(compares, of.Name+"."+selector.Sel.Name)
}

// reveals reports whether an expression is the text of a secret.
func reveals(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	return ok && selector.Sel.Name == "Reveal"
}
