package guard_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"entrasync/reconcile/guard"
)

// Every constant of names.go is in the list that advice and tests go by, once and sorted.
func TestNamesAreComplete(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "names.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, decl := range file.Decls {
		if constants, ok := decl.(*ast.GenDecl); ok && constants.Tok == token.CONST {
			for _, spec := range constants.Specs {
				word, err := strconv.Unquote(spec.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				declared = append(declared, word)
			}
		}
	}
	slices.Sort(declared)
	if names := guard.Names(); !slices.Equal(names, declared) {
		t.Errorf("Names: %q, the constants are %q", names, declared)
	}
}
