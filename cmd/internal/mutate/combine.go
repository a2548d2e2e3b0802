package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Faults of one package are compiled into one test binary where that is possible: each run of
// statements that faults change becomes a choice between them, made by an environment variable.
// Building the package once instead of once for each fault is most of what makes a run affordable.

// chosenFault is the environment variable that names the fault to switch on.
const chosenFault = "MUTATE_FAULT"

// helper is added to the package.
const helper = `package %s

import "os"

var chosenFault = os.Getenv("` + chosenFault + `")

func faultIs(id string) bool { return chosenFault == id }
`

// A variant is a fault as an alternative to statements of a file.
type variant struct {
	id       string
	file     string // path
	mutated  string // the whole file with the fault
	from, to int    // offsets, in the file as it is, of the statements
	first    int    // line of the combined file where the alternative begins
	last     int
}

// combined is the test binary of a package with several faults in it, and which they are.
type combined struct {
	binary string
	ids    map[string]bool
}

// combine builds the test binary of a package with as many of the faults as can be chosen at run
// time. The others, such as those in the definition of a variable, are left to be built alone.
func combine(ctx context.Context, pkg string, faults []mutation, scratch string) (*combined, error) {
	dir, err := os.MkdirTemp(scratch, "")
	if err != nil {
		return nil, err
	}
	var variants []variant
	for _, m := range faults {
		if v, ok := m.variant(); ok {
			variants = append(variants, v)
		}
	}
	variants = slices.DeleteFunc(variants, func(v variant) bool { // statements that only overlap
		return slices.ContainsFunc(variants, func(o variant) bool {
			return o.file == v.file && o.from < v.from && v.from < o.to && o.to < v.to
		})
	})
	for len(variants) > 0 {
		out := &combined{binary: filepath.Join(dir, filepath.Base(pkg)+".test"), ids: map[string]bool{}}
		sources, err := alternatives(variants, dir)
		if err != nil {
			return nil, err
		}
		name, err := exec.CommandContext(ctx, "go", "list", "-f={{.Name}}", pkg).Output()
		if err != nil {
			return nil, err
		}
		added := filepath.Join(dir, "helper.go")
		if err := os.WriteFile(added, fmt.Appendf(nil, helper, strings.TrimSpace(string(name))), 0o600); err != nil {
			return nil, err
		}
		absolute, err := filepath.Abs(filepath.Join(pkg, "mutate_helper.go"))
		if err != nil {
			return nil, err
		}
		sources[absolute] = added
		overlay, err := json.Marshal(map[string]any{"Replace": sources})
		if err != nil {
			return nil, err
		}
		list := filepath.Join(dir, "overlay.json")
		if err := os.WriteFile(list, overlay, 0o600); err != nil {
			return nil, err
		}
		text, err := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-gcflags=-e", "-ldflags=-s -w", "-o", out.binary, "-overlay="+list, pkg).CombinedOutput()
		if err == nil {
			for _, v := range variants {
				out.ids[v.id] = true
			}
			return out, nil
		}
		before := len(variants)
		if variants = fitting(variants, string(text)); len(variants) == before {
			return nil, fmt.Errorf("build %s with all faults: %w: %s", pkg, err, tail(string(text)))
		}
	}
	return &combined{}, nil
}

// variant finds the statements that a fault changes. They must be a run within one block that
// defines nothing, because what they define would end with the alternative.
func (m *mutation) variant() (v variant, ok bool) {
	file, mutated, err := m.place()
	if err != nil {
		return v, false
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		return v, false
	}
	source := string(whole)
	from := 0
	for from < min(len(source), len(mutated)) && source[from] == mutated[from] {
		from++
	}
	to, end := len(source), len(mutated)
	for to > from && end > from && source[to-1] == mutated[end-1] {
		to, end = to-1, end-1
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return v, false
	}
	v = variant{id: m.id, file: file, mutated: mutated}
	offset := func(p token.Pos) int { return set.Position(p).Offset }
	ast.Inspect(tree, func(n ast.Node) bool {
		if list := statements(n); len(list) > 0 {
			first := slices.IndexFunc(list, func(s ast.Stmt) bool { return offset(s.End()) > from })
			last := -1
			for i, s := range list {
				if offset(s.Pos()) < max(to, from+1) {
					last = i
				}
			}
			if first >= 0 && last >= first && offset(list[first].Pos()) <= from && offset(list[last].End()) >= to && !slices.ContainsFunc(list[first:last+1], defines) {
				v.from, v.to, ok = offset(list[first].Pos()), offset(list[last].End()), true // inner ones come later
			}
		}
		return true
	})
	return v, ok
}

// statements are those of a block.
func statements(n ast.Node) []ast.Stmt {
	switch n := n.(type) {
	case *ast.BlockStmt:
		return n.List
	case *ast.CaseClause:
		return n.Body
	case *ast.CommClause:
		return n.Body
	}
	return nil
}

// defines reports whether a statement cannot be put into a block of its own.
func defines(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.AssignStmt:
		return s.Tok == token.DEFINE
	case *ast.DeclStmt, *ast.LabeledStmt, *ast.CaseClause, *ast.CommClause:
		return true
	}
	return false
}

// alternatives writes the files with all faults in them and returns where they are, by the file
// that each stands for. Faults of statements within each other become alternatives to the outer.
func alternatives(variants []variant, dir string) (map[string]string, error) {
	files := map[string][]*variant{}
	for i := range variants {
		files[variants[i].file] = append(files[variants[i].file], &variants[i])
	}
	sources := map[string]string{}
	for file, list := range files {
		whole, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		source := string(whole)
		slices.SortStableFunc(list, func(a, b *variant) int { return cmp.Or(a.from-b.from, b.to-a.to) })
		var out strings.Builder
		line := func() int { return strings.Count(out.String(), "\n") + 1 }
		at := 0
		for i := 0; i < len(list); {
			from, to := list[i].from, list[i].to
			out.WriteString(source[at:from])
			for ; i < len(list) && list[i].from < to; i++ {
				v := list[i]
				v.first = line()
				fmt.Fprintf(&out, "if faultIs(%q) {\n%s\n} else ", v.id, v.mutated[from:to+len(v.mutated)-len(source)])
				v.last = line()
			}
			fmt.Fprintf(&out, "{\n%s\n}", source[from:to])
			at = to
		}
		out.WriteString(source[at:])
		path := filepath.Join(dir, filepath.Base(file))
		absolute, err := filepath.Abs(file)
		if err := errors.Join(err, os.WriteFile(path, []byte(out.String()), 0o600)); err != nil {
			return nil, err
		}
		sources[absolute] = path
	}
	return sources, nil
}

var compileError = regexp.MustCompile(`(?m)([^/\s]+\.go):(\d+):\d+: `)

// fitting leaves out the faults that the compiler has refused.
func fitting(variants []variant, errors string) []variant {
	return slices.DeleteFunc(variants, func(v variant) bool {
		for _, found := range compileError.FindAllStringSubmatch(errors, -1) {
			line, _ := strconv.Atoi(found[2])
			if found[1] == filepath.Base(v.file) && v.first <= line && line <= v.last {
				return true
			}
		}
		return false
	})
}
