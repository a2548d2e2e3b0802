package structure

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// The stages of a cycle, in order, with the files of package reconcile that belong to each. A file uses what stands in its
// own stage and in earlier ones. The last two stages are the list of steps itself, and what operators ask for between cycles.
var stages = []struct{ name, files string }{
	{"base", "runline auditlines sync options spaces keys names chunks resource retry summary report findings ledger breaker records cause wantedvalues result drift mismatch requeue forgetlink lost holdhistory document offrecord formerkeys stillactive subject droplost operation"},
	{"pull", "pull gaps hidden quarantine elapsed"},
	{"compare", "links migrate linkscan recover unread compare comparemembers orphans orphanconfirm switchedoff successor remarks shortfalls driftmembers notedrift"},
	{"draft", "upcoming removals keptplan draft drafter draftgroup members references forgetdecisions orphanplan removeinactive draftrejected datetimes draftdrift pinned"},
	{"match", "doubted recheck evaluate identify protect match listing rights adoptedorphan creation takeover redact search resolvemismatch decidedlinks nameclaims"},
	{"review", "review planstats access heldmembers rejected losses guards administrators"},
	{"apply", "apply existingmembers order intents execute write response remove removeorphan changemembers confirmoff keepoff withoutredacted"},
	{"record", "record recordmembers recordstillactive recordremarks requeuedependents freshness"},
	{"finish", "auditrun finalize finish attention verify storedplan ondemandsteps putback planorder offertransfers interrupted"},
	{"run", "syncer cycle discover explain evaluate_subject rolewarnings"},
	{"operate", "findundo linkchanges listlinks pin undoing undomembers undoread undorecord"},
}

const (
	maxAgainst = 16 // references from a stage to a later one
	maxLevels  = 10 // files on the longest chain of declarations that use each other
)

// Following a user through a cycle leads forward: few references run against the order of the stages, and no chain of
// declarations leads through many files.
func TestStages(t *testing.T) {
	t.Parallel()
	stageOf := map[string]int{}
	for i, stage := range stages {
		for _, file := range strings.Fields(stage.files) {
			if _, twice := stageOf[file]; twice {
				t.Errorf("%s.go stands in two stages", file)
			}
			stageOf[file] = i
		}
	}
	p := readUses(t, os.DirFS(moduleRoot(t)), "reconcile")
	var against []string
	for _, use := range p.references() {
		from, known := stageOf[use.from]
		if !known {
			t.Errorf("reconcile/%s.go is in no stage", use.from)
		}
		if to := stageOf[use.to]; from < to {
			against = append(against, fmt.Sprintf("%s: %s.go uses %s.go (%s)", stages[from].name, use.from, use.to, stages[to].name))
		}
	}
	for file := range stageOf {
		if !p.files[file] {
			t.Errorf("stages name reconcile/%s.go, which is not there", file)
		}
	}
	levels, chain := p.longestChain()
	t.Logf("%d files, %d references, %d against the order of the stages, %d levels", len(p.files), len(p.references()), len(against), levels)
	if len(against) > maxAgainst {
		t.Errorf("%d references run against the order of the stages, at most %d may:\n%s", len(against), maxAgainst, strings.Join(against, "\n"))
	}
	if levels > maxLevels {
		t.Errorf("a chain leads through %d files, at most %d may be on one: %s", levels, maxLevels, strings.Join(chain, " > "))
	}
}

// The measurement is worth what it finds.
func TestUsesAreFound(t *testing.T) {
	t.Parallel()
	p := readUses(t, fakeTree{
		"reconcile/a.go": "package reconcile\nimport \"fmt\"\nfunc run() { s := step{}; s.do(); fmt.Println(limit) }",
		"reconcile/b.go": "package reconcile\ntype step struct{ n number }\nfunc (s step) do() { s.n++; run() }\nconst limit = 3",
		"reconcile/c.go": "package reconcile\nimport \"entrasync/state\"\ntype number int\nfunc other(run *state.Tx) { run.View() }",
	}.fs(), "reconcile")
	var got []string
	for _, use := range p.references() {
		got = append(got, use.from+use.to)
	}
	if want := []string{"ab", "ba", "bc"}; !slices.Equal(got, want) {
		t.Errorf("references %q, want %q", got, want)
	}
	if levels, chain := p.longestChain(); levels != 3 {
		t.Errorf("%d levels by %q, want a, b and c", levels, chain)
	}
}

// uses are the declarations of a package and what each of them uses of the same package.
type uses struct {
	files  map[string]bool // names without .go
	fileOf map[types.Object]string
	used   map[types.Object]map[types.Object]bool
}

// A reference is from one file to another one.
type reference struct{ from, to string }

// noImports stands for every package that is imported: only what the package itself declares is followed.
type noImports struct{}

func (noImports) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}

// readUses reads the package in a folder, without its tests.
func readUses(t *testing.T, tree fs.FS, dir string) *uses {
	t.Helper()
	names, err := fs.Glob(tree, dir+"/*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") || path.Base(name) == "doc.go" || bytes.HasPrefix(source, []byte("//go:build")) {
			continue
		}
		file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImports{}, Error: func(error) {}} // what is imported has no types here
	p, _ := config.Check(dir, set, files, info)
	u := &uses{files: map[string]bool{}, fileOf: map[types.Object]string{}, used: map[types.Object]map[types.Object]bool{}}
	nameOf := func(at token.Pos) string { return strings.TrimSuffix(path.Base(set.Position(at).Filename), ".go") }
	owners := fieldOwners(p)
	for _, file := range files {
		u.files[nameOf(file.Pos())] = true
		for _, decl := range file.Decls {
			for declared, node := range declarations(decl, info) {
				u.fileOf[declared] = nameOf(node.Pos())
				u.used[declared] = usedIn(node, declared, p, owners, info)
			}
		}
	}
	return u
}

// declarations yields what a top-level declaration declares, with the code that belongs to it.
func declarations(decl ast.Decl, info *types.Info) map[types.Object]ast.Node {
	found := map[types.Object]ast.Node{}
	add := func(name *ast.Ident, node ast.Node) {
		if o := info.Defs[name]; o != nil {
			found[o] = node
		}
	}
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		add(decl.Name, decl)
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				add(spec.Name, spec)
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					add(name, spec)
				}
			}
		}
	}
	return found
}

// fieldOwners returns the type that each field of a struct belongs to.
func fieldOwners(p *types.Package) map[types.Object]types.Object {
	owners := map[types.Object]types.Object{}
	for _, name := range p.Scope().Names() {
		if o, isType := p.Scope().Lookup(name).(*types.TypeName); isType {
			if structure, ok := o.Type().Underlying().(*types.Struct); ok {
				for field := range structure.Fields() {
					owners[field] = o
				}
			}
		}
	}
	return owners
}

// usedIn returns what code uses of its own package: declarations, methods, and types whose fields it reads.
func usedIn(node ast.Node, declared types.Object, p *types.Package, owners map[types.Object]types.Object, info *types.Info) map[types.Object]bool {
	used := map[types.Object]bool{}
	ast.Inspect(node, func(n ast.Node) bool {
		ident, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		o := info.Uses[ident]
		if variable, ok := o.(*types.Var); ok && variable.IsField() {
			o = owners[o]
		}
		if o == nil || o == declared || o.Pkg() != p {
			return true
		}
		if method, isFunc := o.(*types.Func); o.Parent() == p.Scope() || isFunc && method.Signature().Recv() != nil {
			used[o] = true
		}
		return true
	})
	return used
}

// references returns which file uses which other one, sorted.
func (u *uses) references() []reference {
	found := map[reference]bool{}
	for from, used := range u.used {
		for to := range used {
			if r := (reference{u.fileOf[from], u.fileOf[to]}); r.from != r.to && r.to != "" {
				found[r] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b reference) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
}

// longestChain returns the most files that a chain of declarations leads through, each using the next one.
// Declarations that use each other count as one.
func (u *uses) longestChain() (levels int, chain []string) {
	type best struct {
		levels int
		chain  []string
	}
	longest := map[types.Object]best{}
	for _, circle := range u.circles() {
		files := map[string]bool{}
		for _, o := range circle {
			files[u.fileOf[o]] = true
		}
		found := best{len(files), []string{circle[0].Name()}}
		for _, from := range circle {
			for to := range u.used[from] {
				next, known := longest[to] // of this circle: not yet
				if n := len(files) + next.levels; known {
					if files[u.fileOf[to]] {
						n--
					}
					if n > found.levels {
						found = best{n, append([]string{u.fileOf[from] + "." + from.Name()}, next.chain...)}
					}
				}
			}
		}
		for _, o := range circle {
			longest[o] = found
		}
		if found.levels > levels {
			levels, chain = found.levels, found.chain
		}
	}
	return levels, chain
}

// circles returns the strongly connected components of the declarations (Tarjan's algorithm), those that are used first.
func (u *uses) circles() (found [][]types.Object) {
	index, low, open := map[types.Object]int{}, map[types.Object]int{}, map[types.Object]bool{}
	var stack []types.Object
	var visit func(o types.Object)
	visit = func(o types.Object) {
		index[o] = len(index) + 1
		low[o] = index[o]
		stack, open[o] = append(stack, o), true
		for next := range u.used[o] {
			if index[next] == 0 {
				visit(next)
				low[o] = min(low[o], low[next])
			} else if open[next] {
				low[o] = min(low[o], index[next])
			}
		}
		if low[o] != index[o] {
			return
		}
		at := slices.Index(stack, o)
		circle := slices.Clone(stack[at:])
		stack = stack[:at]
		for _, member := range circle {
			open[member] = false
		}
		found = append(found, circle)
	}
	for o := range u.used {
		if index[o] == 0 {
			visit(o)
		}
	}
	return found
}
