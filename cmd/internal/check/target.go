package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// targetCheckTime bounds the test of one target.
const targetCheckTime = 30 * time.Second

// A targetTest is one application and the syncs that write to it.
type targetTest struct {
	what    string
	adapter target.Adapter
	err     error // the adapter cannot be made
	paths   map[target.Kind][]target.Path
	syncs   []*reconcile.Sync
	groups  bool
	texts   []target.Path // written with app roles as texts
}

// targets tests each application once. With one tenant chosen, targets for tenants that have yet to
// join are left out.
func (c *Checker) targets(ctx context.Context, syncs []*compile.Sync, chosen bool) {
	tests := c.targetTests(syncs)
	if !chosen {
		tests = append(tests, c.targetsOfJoining()...)
	}
	c.each(ctx, len(tests), cmp.Or(c.timeout, targetCheckTime), func(ctx context.Context, i int, s *Section) {
		if tests[i].run(ctx, &c.roles, s) {
			c.loops(ctx, tests[i], s)
			c.shortfalls(ctx, tests[i], s)
		}
	})
}

// targetTests returns a test for each application, with the attributes that all syncs into it write.
func (c *Checker) targetTests(syncs []*compile.Sync) (tests []*targetTest) {
	byAdapter := map[target.Adapter]*targetTest{}
	for _, s := range syncs {
		adapter, err := c.worker.Target(s)
		test := byAdapter[adapter]
		if test == nil {
			test = &targetTest{what: "target " + s.TargetName, adapter: adapter, err: err, paths: map[target.Kind][]target.Path{}}
			tests = append(tests, test)
			if adapter != nil {
				byAdapter[adapter] = test
			}
		}
		test.add(s.Sync)
	}
	return tests
}

func (t *targetTest) add(s *reconcile.Sync) {
	t.syncs = append(t.syncs, s)
	t.groups = t.groups || s.Groups.Enabled
	for _, attribute := range s.Users.Mapping.Attributes() {
		if attribute.GivesRoleTexts() {
			t.texts = append(t.texts, attribute.Path)
		}
	}
	for kind, paths := range s.Paths() {
		for _, path := range paths {
			if !slices.ContainsFunc(t.paths[kind], path.Equal) {
				t.paths[kind] = append(t.paths[kind], path)
			}
		}
	}
}

// targetsOfJoining returns tests of targets that only tenants which join by consent use, while none
// has: what can be tested before the first customer comes.
func (c *Checker) targetsOfJoining() (tests []*targetTest) {
	w := c.worker
	for _, entry := range w.Config.Syncs {
		sync := entry.Value
		used := slices.ContainsFunc(w.Syncs, func(s *compile.Sync) bool { return s.TargetName == sync.To.Value })
		tested := slices.ContainsFunc(tests, func(t *targetTest) bool { return t.what == "target "+sync.To.Value })
		if !sync.From.Consented || used || tested {
			continue
		}
		planned, faults := compile.NewTemplate(w.Config, entry)
		if len(faults) > 0 {
			continue // the configuration would not have loaded
		}
		test := &targetTest{what: "target " + sync.To.Value, paths: map[target.Kind][]target.Path{}}
		test.add(planned.Sync)
		section, _ := w.Config.Targets.Get(sync.To.Value)
		if options, _ := compile.Options(section); options != nil && compile.PerTenant(options) {
			test.err = errPerTenant
		} else {
			test.adapter, test.err = w.Target(&compile.Sync{Sync: planned.Sync, Expansion: compile.AnyTenant})
		}
		tests = append(tests, test)
	}
	return tests
}

// errPerTenant means that the address of a target is known only once a tenant has joined.
var errPerTenant = errors.New("its options hold {tenant}, and no tenant has joined yet")

// run reports whether the application answers.
func (t *targetTest) run(ctx context.Context, roles *appRoles, out *Section) bool {
	if errors.Is(t.err, errPerTenant) {
		out.warn(t.what, "not tested: "+t.err.Error(), "run entrasync check again when the first tenant has joined")
		return false
	}
	if t.err != nil {
		out.Fail(t.what, t.err)
		return false
	}
	profile, err := t.adapter.Probe(ctx, t.paths)
	if err != nil {
		out.Fail(t.what, err)
		return false
	}
	if t.groups && !profile.Kinds[target.Group] {
		out.Fail(t.what, advice.With(errors.New("it keeps no groups, but the sync provisions groups"), "set groups.enabled to false"))
	} else {
		out.Pass(t.what, "%s", profileText(t.adapter, profile))
	}
	for _, path := range t.texts {
		if profile.Complex[path.String()] {
			out.Fail(t.what, errors.New(mapping.RoleTexts(path)))
		}
	}
	for _, statement := range profile.Statements {
		out.Pass(t.what, "%s", statement)
	}
	for _, note := range profile.Notes {
		out.warn(t.what, note, "")
	}
	t.values(profile, roles, out)
	return true
}

// values warns of what the syncs may write and the application's schemas do not name, once for all
// tenants of a sync.
func (t *targetTest) values(profile *target.Profile, roles *appRoles, out *Section) {
	seen := map[string]bool{}
	for _, s := range t.syncs {
		for _, message := range s.ValueWarnings(profile.Values, roles.of(s)) {
			if text := s.Name + message; !seen[text] {
				seen[text] = true
				out.warn(t.what, "sync "+s.Name+": "+message, "")
			}
		}
	}
}

// profileText says in a line what an application supports.
func profileText(adapter target.Adapter, profile *target.Profile) string {
	var can, cannot []string
	add := func(ok bool, what string) {
		if ok {
			can = append(can, what)
		} else {
			cannot = append(cannot, what)
		}
	}
	_, lists := adapter.(target.Lister)
	add(profile.Kinds[target.User], "users")
	add(profile.Kinds[target.Group], "groups")
	add(profile.Patch, "changes of single attributes")
	add(profile.Filter, "search by attribute")
	add(lists, "lists")
	text := profile.Name
	if text == "" {
		text = "answers"
	}
	text += "; supports " + strings.Join(can, ", ")
	if len(cannot) > 0 {
		text += "; does not support " + strings.Join(cannot, ", ")
	}
	if profile.PageSize > 0 {
		text += fmt.Sprintf("; pages of %d", profile.PageSize)
	}
	return text
}

// unusedTargets returns the targets that no sync writes to.
func unusedTargets(cfg *configs.Config) (names []string) {
	for _, entry := range cfg.Targets {
		if !slices.ContainsFunc(cfg.Syncs, func(s configs.Entry[configs.Sync]) bool { return s.Value.To.Value == entry.Name }) {
			names = append(names, entry.Name)
		}
	}
	return names
}
