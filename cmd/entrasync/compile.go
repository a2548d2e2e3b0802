package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/scope"
	"entrasync/target"
)

// compileSyncs turns the syncs of a configuration into what reconcile runs, for each tenant
// they read from. All faults are returned at once, at the place of the text they are in.
func compileSyncs(cfg *configs.Config) (compiled []*plannedSync, faults configs.Faults) {
	for _, entry := range cfg.Syncs {
		t, fs := newTemplate(cfg, entry)
		faults = append(faults, fs...)
		if len(fs) > 0 {
			continue
		}
		for _, from := range entry.Value.From.Tenants {
			tenant, ok := cfg.Tenants.Get(from.Value)
			if !ok {
				continue // configs has said so
			}
			if planned := t.of(from.Value, from.Value, tenant); planned != nil {
				compiled = append(compiled, planned)
			}
		}
	}
	return compiled, faults
}

// A template is a compiled sync without its tenant.
type template struct {
	cfg     *configs.Config
	entry   configs.Entry[configs.Sync]
	sync    *reconcile.Sync
	perName bool // {tenant} stands in it: it is compiled for each
}

func newTemplate(cfg *configs.Config, entry configs.Entry[configs.Sync]) (template, configs.Faults) {
	c := compiler{cfg: cfg, name: entry.Name, sync: entry.Value, specs: map[target.Kind][]mapping.Spec{}}
	sync := c.compile()
	return template{cfg: cfg, entry: entry, sync: sync, perName: c.perName}, c.faults
}

// of returns the sync for one tenant, with what {tenant} stands for; nil when the tenant's id is
// none, which configs has said.
func (t template) of(name, word string, tenant configs.Tenant) *plannedSync {
	id, err := graphsync.ParseID(tenant.ID)
	if err != nil {
		return nil
	}
	sync := *t.sync
	if t.perName {
		c := compiler{cfg: t.cfg, name: t.entry.Name, sync: t.entry.Value, tenant: word, specs: map[target.Kind][]mapping.Spec{}}
		sync = *c.compile()
	}
	sync.Tenant = id
	if sync.AppID == "" {
		if app := t.cfg.AppOf(tenant); app != nil {
			sync.AppID = app.ClientID
		}
	}
	planned := &plannedSync{Sync: &sync, tenantName: name, tenant: tenant, word: word}
	if tenant.Paused {
		planned.paused = "in the configuration"
	}
	return planned
}

// A plannedSync is a compiled sync and the tenant section it reads from.
type plannedSync struct {
	*reconcile.Sync
	tenantName string
	tenant     configs.Tenant
	word       string // what {tenant} stands for
	paused     string // by what its tenant is paused, "" when it is not
}

type compiler struct {
	cfg    *configs.Config
	name   string
	sync   configs.Sync
	tenant string // what {tenant} stands for; "" leaves it
	specs  map[target.Kind][]mapping.Spec
	faults configs.Faults

	perName bool // {tenant} was met
}

// fill puts the tenant into a constant. Names and ids are made of characters that mean nothing in
// an expression.
func (c *compiler) fill(text string) string {
	const word = "{tenant}"
	if !strings.Contains(text, word) {
		return text
	}
	c.perName = true
	if c.tenant == "" {
		return text
	}
	return strings.ReplaceAll(text, word, c.tenant)
}

func (c *compiler) fault(at configs.Position, key []string, message, hint string) {
	path := append([]string{"syncs", c.name}, key...)
	if at.Line == 0 {
		at = c.cfg.Position(path...)
	}
	c.faults = append(c.faults, configs.Fault{Position: at, Key: strings.Join(path, "."), Message: message, Hint: hint})
}

func (c *compiler) compile() *reconcile.Sync {
	s := &reconcile.Sync{
		Name: c.name, TargetName: c.sync.To.Value, AppID: c.sync.Scope.AppID,
		Scope:      c.scope(),
		Users:      c.users(),
		Groups:     c.groups(),
		Guard:      c.guard(),
		Quarantine: reconcile.Quarantine{Failures: float64(c.sync.Quarantine.Failures), AtLeast: c.sync.Quarantine.OfAtLeast},
	}
	s.Text = c.decisive(s)
	return s
}

// decisive is the part of the configuration that decides what accounts should be, without the
// places of its texts: moving a line, or changing a guard, evaluates nobody anew.
func (c *compiler) decisive(s *reconcile.Sync) string {
	text, err := json.Marshal(struct {
		To, AppID             string
		All, Nested, Guests   bool
		Filter, GroupFilter   string
		Exclude               [2][]string
		Protect               []string
		UserSpecs, GroupSpecs []mapping.Spec
		Match, GroupMatch     []string
		Actions, GroupActions []string
		OnRemove              configs.OnRemove
		Groups, AllGroups     bool
		Takeover              reconcile.Takeover
	}{
		s.TargetName, s.AppID, s.Scope.All, s.Scope.Nested, s.Scope.Guests, s.Scope.Filter.String(), s.Groups.Filter.String(),
		[2][]string{s.Scope.ExcludeUsers, s.Scope.ExcludeGroups}, texts(c.sync.Scope.Protect), c.specs[target.User], c.specs[target.Group],
		s.Users.Match, s.Groups.Match, c.sync.Users.Actions, c.sync.Groups.Actions, c.sync.Users.OnRemove,
		s.Groups.Enabled, s.Groups.All, s.Groups.Takeover,
	})
	if err != nil {
		panic(fmt.Sprintf("encode sync %s: %v", c.name, err)) // strings and booleans: cannot fail
	}
	return string(text)
}

func (c *compiler) scope() reconcile.Scope {
	in := c.sync.Scope
	out := reconcile.Scope{
		All: in.Users == "all", Nested: in.NestedGroups, Guests: in.IncludeGuests,
		ExcludeUsers: texts(in.Exclude.Users), ExcludeGroups: texts(in.Exclude.Groups),
		Filter: c.filter(in.Filter, "scope", "filter"),
	}
	for _, text := range in.Protect {
		filter, err := target.ParseFilter(text.Value)
		if err != nil {
			c.fault(text.Pos, []string{"scope", "protect"}, err.Error(), "")
			continue
		}
		out.Protect = append(out.Protect, filter)
	}
	return out
}

// filter compiles a scoping filter; none is nil.
func (c *compiler) filter(in configs.Filter, key ...string) *scope.Filter {
	if len(in) == 0 {
		return nil
	}
	groups := make([][]scope.Clause, len(in))
	for i, group := range in {
		for _, clause := range group {
			compiled := scope.Clause{Attribute: clause.Attribute.Value, Operator: clause.Operator.Value}
			if clause.Value != nil {
				compiled.Value = clause.Value.Value
			}
			groups[i] = append(groups[i], compiled)
		}
	}
	filter, faults := scope.Compile(groups)
	for _, f := range faults {
		at := configs.Position{}
		if f.Group < len(in) && f.Clause >= 0 && f.Clause < len(in[f.Group]) {
			at = in[f.Group][f.Clause].Attribute.Pos
		}
		c.fault(at, key, f.Error(), "")
	}
	return filter
}

func (c *compiler) users() reconcile.Rules {
	in := c.sync.Users
	rules := reconcile.Rules{Actions: actionsOf(in.Actions), Match: texts(in.Match)}
	switch {
	case in.OnRemove.Action == "delete" && in.OnRemove.DeleteAfter > 0:
		rules.OnRemove = reconcile.OnRemove{Do: reconcile.Deactivate, After: in.OnRemove.DeleteAfter}
	case in.OnRemove.Action == "delete":
		rules.OnRemove = reconcile.OnRemove{Do: reconcile.Delete}
	case in.OnRemove.Action == "deactivate":
		rules.OnRemove = reconcile.OnRemove{Do: reconcile.Deactivate}
	}
	rules.Mapping = c.mapping(target.User, in.Attributes, in.MappingRoles, "users")
	return rules
}

func (c *compiler) groups() reconcile.GroupRules {
	in := c.sync.Groups
	rules := reconcile.GroupRules{
		Rules:   reconcile.Rules{Actions: actionsOf(in.Actions), Match: texts(in.Match)},
		Enabled: in.Enabled, All: in.Source.Kind == "all", Takeover: reconcile.Takeover(in.Takeover),
		Filter: c.filter(in.Source.Filter, "groups", "source"),
	}
	rules.Mapping = c.mapping(target.Group, in.Attributes, nil, "groups")
	return rules
}

// mapping compiles attribute mappings.
func (c *compiler) mapping(kind target.Kind, in configs.Map[configs.Attribute], roles *configs.MappingRoles, section string) *mapping.Mapping {
	specs := make([]mapping.Spec, 0, len(in))
	for _, entry := range in {
		a := entry.Value
		spec := mapping.Spec{
			Path: entry.Name, Expr: c.fill(a.Expr.Value), Required: a.Required, Allowed: texts(a.Allowed), Priority: texts(a.Priority),
			Apply: a.Apply, OnNull: a.OnNull, Owner: a.Owner, Multi: a.Multi, Redact: a.Redact,
		}
		if a.Default != nil {
			spec.Default = c.fill(a.Default.Value)
		}
		if len(a.Aliases) > 0 {
			spec.Aliases = map[string]string{}
			for name, alias := range a.Aliases.All() {
				spec.Aliases[name] = alias.Value
			}
		}
		specs = append(specs, spec)
	}
	if roles != nil {
		specs = append(specs, rolesSpec(roles))
	}
	c.specs[kind] = specs
	m, faults := mapping.New(kind, specs)
	for _, f := range faults {
		key := []string{section, "attributes", f.Path}
		at := c.cfg.Position(append([]string{"syncs", c.name}, key...)...)
		a, ok := in.Get(f.Path)
		switch {
		case ok && f.Field == "expr":
			at = a.Expr.At(f.Column)
		case !ok && roles != nil:
			key = []string{section, "mapping_roles", f.Field}
			if at = c.cfg.Position(append([]string{"syncs", c.name}, key...)...); f.Field == "from" {
				at = roles.From.At(f.Column)
			}
		case ok && f.Field != "path":
			at = c.cfg.Position(append([]string{"syncs", c.name}, append(key, f.Field)...)...)
		}
		c.fault(at, key, f.Message, "")
	}
	return m
}

// rolesSpec makes the table of mapping roles the source of the attribute it writes to.
func rolesSpec(in *configs.MappingRoles) mapping.Spec {
	table := &mapping.RolesSpec{From: in.From.Value, NoValue: in.NoValue, NoMatch: in.NoMatch, Several: in.Several}
	for name, scopes := range in.Roles.All() {
		role := mapping.MappingRole{Name: name}
		for scope, roles := range scopes.All() {
			role.Scopes = append(role.Scopes, mapping.RoleScope{Scope: scope, Roles: texts(roles)})
		}
		table.Roles = append(table.Roles, role)
	}
	return mapping.Spec{Path: in.To.Value, Roles: table}
}

func actionsOf(names []string) map[reconcile.Op]bool {
	actions := make(map[reconcile.Op]bool, len(names))
	for _, name := range names {
		actions[reconcile.Op(name)] = true
	}
	return actions
}

func (c *compiler) guard() reconcile.Guard {
	in := c.sync.Guard
	limit := func(l configs.Limit) (out reconcile.Limit) {
		out.Count = l.Count
		if l.Percent != nil {
			percent := float64(*l.Percent)
			out.Percent = &percent
		}
		return out
	}
	guard := reconcile.Guard{
		Removals: limit(in.Removals), Creations: limit(in.Creations), Updates: limit(in.Updates),
		MembersRemoved: limit(in.MembersRemoved), FirstRunRemovals: in.FirstRunRemovals == "allow",
		RemovalsPerDay: limit(in.RemovalsPerDay),
	}
	if in.Administrators != nil {
		filter, err := target.ParseFilter(in.Administrators.Value)
		if err != nil {
			c.fault(in.Administrators.Pos, []string{"guard", "administrators"}, err.Error(), "")
		}
		guard.Administrators = &filter
	}
	return guard
}

func texts(in []configs.Text) []string {
	if len(in) == 0 {
		return nil
	}
	out := make([]string, len(in))
	for i, text := range in {
		out[i] = text.Value
	}
	return out
}

// syncNames returns the names of the compiled syncs, each once.
func syncNames(syncs []*plannedSync) []string {
	var names []string
	for _, s := range syncs {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
