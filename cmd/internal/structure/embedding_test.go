package structure

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// embedsNothing are the folders in which a struct names what it uses. An embedded type lends its methods and
// fields without saying so: what a step reads, and what it may do, is no longer seen in its fields.
var embedsNothing = []string{"reconcile"}

// checkEmbedding wants no struct that embeds a pointer to a type of its own package, nor one of its unexported
// types that has methods. Data may be embedded, as JSON wants it.
func checkEmbedding(tree fs.FS) (faults []string) {
	for _, dir := range embedsNothing {
		names, err := fs.Glob(tree, dir+"/*.go")
		if err != nil {
			return []string{err.Error()}
		}
		var files []*ast.File
		var paths []string
		for _, name := range names {
			source, err := fs.ReadFile(tree, name)
			if err != nil {
				return append(faults, err.Error())
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
			if err != nil || strings.HasSuffix(name, "_test.go") {
				continue // parsePackages reports what does not parse
			}
			files, paths = append(files, file), append(paths, name)
		}
		own, active := declared(files)
		for i, file := range files {
			for _, e := range embedded(file) {
				if own[e.name] && (e.pointer || active[e.name] && !ast.IsExported(e.name)) {
					faults = append(faults, fmt.Sprintf("%s: struct %s embeds %s; name the fields it needs", path.Clean(paths[i]), e.in, e.name))
				}
			}
		}
	}
	slices.Sort(faults)
	return faults
}

// declared returns the types of some files, and those of them that have methods.
func declared(files []*ast.File) (own, active map[string]bool) {
	own, active = map[string]bool{}, map[string]bool{}
	for _, file := range files {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					if t, ok := spec.(*ast.TypeSpec); ok {
						own[t.Name.Name] = true
					}
				}
			case *ast.FuncDecl:
				if decl.Recv != nil {
					name, _ := typeName(decl.Recv.List[0].Type)
					active[name] = true
				}
			}
		}
	}
	return own, active
}

// An embedding is a field without a name.
type embedding struct {
	in, name string
	pointer  bool
}

func embedded(file *ast.File) (found []embedding) {
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if structure, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range structure.Fields.List {
				if len(field.Names) == 0 {
					name, pointer := typeName(field.Type)
					found = append(found, embedding{spec.Name.Name, name, pointer})
				}
			}
		}
		return true
	})
	return found
}

// typeName is the name of a type of the same package, "" for any other.
func typeName(t ast.Expr) (name string, pointer bool) {
	if star, ok := t.(*ast.StarExpr); ok {
		t, pointer = star.X, true
	}
	if ident, ok := t.(*ast.Ident); ok {
		name = ident.Name
	}
	return name, pointer
}
