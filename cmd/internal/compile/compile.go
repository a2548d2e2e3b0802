// Package compile turns a configuration into the syncs that run: one for each sync section and tenant
// it reads from, with {tenant} replaced, expressions and filters compiled, and target options decoded.
//
// It is pure: it reads the configuration file and what that names, and opens neither the state nor a
// connection. Every fault carries its place in the file; all are returned at once. The same file
// compiles to the same syncs.
package compile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/scope"
	"entrasync/target"
)

// Load reads a configuration file and compiles its syncs. The error is a [configs.Faults] when the
// file can be read.
func Load(file string) (cfg *configs.Config, syncs []*Sync, err error) {
	cfg, err = configs.Load(file, checks(&syncs)...)
	return cfg, syncs, err
}

// Parse is Load for a text; name is what faults call it.
func Parse(name string, text []byte, env func(string) (string, bool)) (cfg *configs.Config, syncs []*Sync, err error) {
	cfg, err = configs.Parse(name, text, env, checks(&syncs)...)
	return cfg, syncs, err
}

// LoadUnfilled is Load for a configuration of entrasync init in which ids are still to be filled in.
func LoadUnfilled(file string) (cfg *configs.Config, syncs []*Sync, err error) {
	cfg, err = configs.Load(file, func(cfg *configs.Config) (faults configs.Faults) { syncs, faults = syncsOf(cfg); return faults }, targets)
	return cfg, syncs, err
}

func checks(syncs *[]*Sync) []configs.Check {
	return []configs.Check{
		func(cfg *configs.Config) (faults configs.Faults) { *syncs, faults = syncsOf(cfg); return faults },
		targets, schedules, channels, placeholders, oneMachine,
		func(cfg *configs.Config) configs.Faults { return sameAccounts(cfg, *syncs) },
	}
}

// syncsOf compiles the syncs of a configuration for each tenant of the file that they read from.
func syncsOf(cfg *configs.Config) (compiled []*Sync, faults configs.Faults) {
	for _, entry := range cfg.Syncs {
		t, fs := NewTemplate(cfg, entry)
		faults = append(faults, fs...)
		if len(fs) > 0 {
			continue
		}
		reported := map[configs.Fault]bool{} // places of faults: one that many tenants share is reported once
		for _, from := range entry.Value.From.Tenants {
			tenant, ok := cfg.Tenants.Get(from.Value)
			if !ok {
				continue // configs has said so
			}
			sync, fs := t.For(from.Value, from.Value, tenant)
			for _, f := range fs {
				if place := (configs.Fault{Position: f.Position, Key: f.Key}); !reported[place] {
					reported[place] = true
					faults = append(faults, f)
				}
			}
			if sync != nil && len(fs) == 0 {
				compiled = append(compiled, sync)
			}
		}
	}
	return compiled, faults
}

// A Sync is a compiled sync and the tenant it reads from.
type Sync struct {
	*reconcile.Sync
	TenantName string
	Section    configs.Tenant // of the configuration; the id alone for a tenant that joined by consent
	Expansion  string         // what {tenant} stands for
	Paused     string         // what its tenant is paused by, "" when it is not
	Removals   string         // schedule of its removals cycles, "" for none
	DriftTimes string         // schedule on which everything is compared, "" for none of its own
	Freshness  time.Duration  // within which access is taken away, 0 for no objective

	// Faults are what is wrong with the sync for this tenant alone, which joined after the
	// configuration was loaded. The embedded Sync is then that of another tenant and must not run.
	Faults configs.Faults
}

// Sound returns why the sync cannot run for its tenant, nil when it can.
func (s *Sync) Sound() error {
	if len(s.Faults) == 0 {
		return nil
	}
	return fmt.Errorf("sync %s does not fit tenant %s: %v", s.Name, s.TenantName, s.Faults.Err())
}

// Names returns the names of syncs, each once, sorted.
func Names(syncs []*Sync) []string {
	var names []string
	for _, s := range syncs {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// AnyTenant stands for the id of a tenant that has yet to join.
const AnyTenant = "00000000-0000-0000-0000-000000000000"

// A Template is a compiled sync without its tenant.
type Template struct {
	// Sync is the one that tenants share; with {tenant} in its texts that of one of them.
	Sync *reconcile.Sync

	cfg       *configs.Config
	entry     configs.Entry[configs.Sync]
	perTenant bool           // {tenant} stands in it: it is compiled for each
	plain     configs.Faults // with perTenant: those it has while {tenant} is left as it is
}

// NewTemplate compiles a sync. The faults are those that concern every tenant: where {tenant}
// stands in it, For returns the others.
func NewTemplate(cfg *configs.Config, entry configs.Entry[configs.Sync]) (Template, configs.Faults) {
	t := Template{cfg: cfg, entry: entry}
	c := t.compiler("")
	t.Sync = c.compile()
	if t.perTenant = c.perTenant; !t.perTenant {
		return t, c.faults
	}
	t.plain = c.faults
	if !entry.Value.From.Consented {
		return t, nil
	}
	var faults configs.Faults
	t.Sync, faults = t.expanded(AnyTenant)
	return t, faults
}

func (t Template) compiler(expansion string) *compiler {
	return &compiler{cfg: t.cfg, name: t.entry.Name, sync: t.entry.Value, tenant: expansion, specs: map[target.Kind][]mapping.Spec{}}
}

// expanded compiles the sync with {tenant} replaced. A fault that only the replacement causes says so.
func (t Template) expanded(tenant string) (*reconcile.Sync, configs.Faults) {
	c := t.compiler(tenant)
	sync := c.compile()
	for i, f := range c.faults {
		if !slices.Contains(t.plain, f) {
			c.faults[i].Message += ", where {tenant} is " + tenant
		}
	}
	return sync, c.faults
}

// For returns the sync for one tenant, with {tenant} replaced by expansion; nil when the tenant's id
// is no UUID, which configs reports. A sync with faults must not run.
func (t Template) For(name, expansion string, tenant configs.Tenant) (*Sync, configs.Faults) {
	id, err := graphsync.ParseID(tenant.ID)
	if err != nil {
		return nil, nil
	}
	own := *t.Sync
	var faults configs.Faults
	if t.perTenant {
		var expanded *reconcile.Sync
		if expanded, faults = t.expanded(expansion); len(faults) == 0 {
			own = *expanded
		}
	}
	own.Tenant = id
	if own.AppID == "" {
		if app := t.cfg.AppOf(tenant); app != nil {
			own.AppID = app.ClientID
		}
	}
	sync := &Sync{Sync: &own, TenantName: name, Section: tenant, Expansion: expansion, Faults: faults}
	if tenant.Paused {
		sync.Paused = "in the configuration"
	}
	if sync.Removals = cmp.Or(t.entry.Value.Removals, tenant.Removals, t.cfg.Removals); sync.Removals == "off" {
		sync.Removals = ""
	}
	if of := cmp.Or(t.entry.Value.Drift, t.cfg.Drift); of != nil {
		sync.DriftTimes = of.Schedule
	}
	if text := cmp.Or(t.entry.Value.Freshness, tenant.Freshness, t.cfg.Freshness); text != "" && text != "off" {
		sync.Freshness, _ = configs.ParseDuration(text) // configs has checked it
	}
	return sync, faults
}

type compiler struct {
	cfg    *configs.Config
	name   string
	sync   configs.Sync
	tenant string // what {tenant} stands for; "" keeps the word
	specs  map[target.Kind][]mapping.Spec
	faults configs.Faults

	location  *time.Location // where the days of dates in filters begin
	perTenant bool           // {tenant} was met
}

func (c *compiler) fault(at configs.Position, key []string, message, hint string) {
	path := append([]string{"syncs", c.name}, key...)
	if at.Line == 0 {
		at = c.cfg.Position(path...)
	}
	c.faults = append(c.faults, configs.Fault{Position: at, Key: strings.Join(path, "."), Message: message, Hint: hint})
}

func (c *compiler) compile() *reconcile.Sync {
	c.location = c.zone()
	s := &reconcile.Sync{
		Name: c.name, Zone: c.location, TargetName: c.sync.To.Value, AppID: c.sync.Scope.AppID,
		Scope:      c.scope(),
		Users:      c.users(),
		Groups:     c.groups(),
		Guard:      c.guard(),
		Drift:      c.drift(),
		Quarantine: reconcile.Quarantine{Failures: float64(c.sync.Quarantine.Failures), AtLeast: c.sync.Quarantine.OfAtLeast},
	}
	s.Text = c.decisive(s)
	return s
}

// decisive is the part of the configuration that decides what accounts should be, without the
// places of its texts: moving a line, or changing a guard, leads to no new evaluation.
func (c *compiler) decisive(s *reconcile.Sync) string {
	text, err := json.Marshal(struct {
		To, AppID             string
		All, Nested, Guests   bool
		Filter, GroupFilter   string
		Exclude               [2][]string
		Include               []string `json:",omitempty"`
		Protect               []string
		UserSpecs, GroupSpecs []mapping.Spec
		Match, GroupMatch     []string
		Actions, GroupActions []string
		OnRemove              configs.OnRemove
		OnUnassign, OnDelete  configs.OnRemove `json:",omitzero"`
		Groups, AllGroups     bool
		Takeover              desired.Takeover
	}{
		s.TargetName, s.AppID, s.Scope.All, s.Scope.Nested, s.Scope.Guests, s.Scope.Filter.String(), s.Groups.Filter.String(),
		[2][]string{s.Scope.ExcludeUsers, s.Scope.ExcludeGroups}, s.Scope.IncludeGroups, c.expandAll(c.sync.Scope.Protect), c.specs[target.User], c.specs[target.Group],
		s.Users.Match, s.Groups.Match, c.sync.Users.Actions, c.sync.Groups.Actions, c.sync.Users.OnRemove, c.sync.Users.OnUnassign, c.sync.Users.OnDelete,
		s.Groups.Enabled, s.Groups.All, s.Groups.Takeover,
	})
	if err != nil {
		panic(fmt.Sprintf("encode sync %s: %v", c.name, err)) // strings and booleans: cannot fail
	}
	return string(text)
}

func (c *compiler) scope() desired.Scope {
	in := c.sync.Scope
	out := desired.Scope{
		All: in.Users == "all", Nested: in.NestedGroups, Guests: in.IncludeGuests,
		ExcludeUsers: c.expandAll(in.Exclude.Users), ExcludeGroups: c.expandAll(in.Exclude.Groups), IncludeGroups: c.expandAll(in.Include.Groups),
		Filter: c.filter(target.User, in.Filter, "scope", "filter"),
	}
	for _, text := range in.Exclude.Users {
		if _, err := graphsync.ParseID(text.Value); err != nil && strings.Count(text.Value, "@") != 1 && !strings.Contains(text.Value, tenantWord) {
			c.fault(text.Pos, []string{"scope", "exclude", "users"}, fmt.Sprintf("%q is neither an object id nor an address, so it excludes no user", text.Value), "write the user principal name, the address or the object id")
		}
	}
	for _, text := range in.Protect {
		filter, err := target.ParseFilter(c.expand(text.Value))
		if err != nil {
			c.fault(text.Pos, []string{"scope", "protect"}, err.Error(), "")
			continue
		}
		for _, m := range filter.Misspelled(target.User) {
			c.fault(text.Pos, []string{"scope", "protect"}, fmt.Sprintf("accounts have no attribute %s", m.Name), "did you mean "+m.Near+"?")
		}
		out.Protect = append(out.Protect, filter)
	}
	return out
}

// zone is where the days of dates in filters begin.
func (c *compiler) zone() *time.Location {
	name := c.sync.Scope.TimeZone
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		c.fault(configs.Position{}, []string{"scope", "time_zone"}, fmt.Sprintf("%q is not a time zone", name), "write a name of the IANA time zone database, such as Europe/Berlin")
		return nil
	}
	return zone
}

// filter compiles a scoping filter; none is nil.
func (c *compiler) filter(kind target.Kind, in configs.Filter, key ...string) *scope.Filter {
	if len(in) == 0 {
		return nil
	}
	groups := make([][]scope.Clause, len(in))
	for i, group := range in {
		for _, clause := range group {
			compiled := scope.Clause{Attribute: clause.Attribute.Value, Operator: clause.Operator.Value}
			if clause.Value != nil {
				compiled.Value = c.expandClause(clause)
			}
			groups[i] = append(groups[i], compiled)
		}
	}
	for _, group := range in {
		for _, clause := range group {
			if right := mapping.Misspelled(kind, clause.Attribute.Value); right != "" {
				c.fault(clause.Attribute.Pos, key, "Graph has no property "+clause.Attribute.Value, "did you mean "+right+"?")
			}
		}
	}
	filter, faults := scope.Compile(groups, c.location)
	for _, f := range faults {
		at := configs.Position{}
		if f.Group < len(in) && f.Clause >= 0 && f.Clause < len(in[f.Group]) {
			at = in[f.Group][f.Clause].Attribute.Pos
		}
		c.fault(at, key, f.Error(), "")
	}
	return filter
}

func (c *compiler) users() desired.Rules {
	in := c.sync.Users
	rules := desired.Rules{Actions: actionsOf(in.Actions), Match: texts(in.Match), OnRemove: removalOf(in.OnRemove)}
	if in.OnUnassign != (configs.OnRemove{}) {
		rules.OnUnassign = new(removalOf(in.OnUnassign))
	}
	if in.OnDelete != (configs.OnRemove{}) {
		rules.OnDelete = new(removalOf(in.OnDelete))
	}
	rules.Mapping = c.mapping(target.User, in.Attributes, in.MappingRoles, "users")
	return rules
}

func removalOf(in configs.OnRemove) desired.OnRemove {
	switch {
	case in.Action == "delete" && in.DeleteAfter > 0:
		return desired.OnRemove{Do: plan.Deactivate, After: in.DeleteAfter}
	case in.Action == "delete":
		return desired.OnRemove{Do: plan.Delete}
	case in.Action == "deactivate":
		return desired.OnRemove{Do: plan.Deactivate}
	}
	return desired.OnRemove{}
}

func (c *compiler) groups() desired.GroupRules {
	in := c.sync.Groups
	rules := desired.GroupRules{
		Rules:   desired.Rules{Actions: actionsOf(in.Actions), Match: texts(in.Match)},
		Enabled: in.Enabled, All: in.Source.Kind == "all", Takeover: desired.Takeover(in.Takeover),
		Filter: c.filter(target.Group, in.Source.Filter, "groups", "source"),
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
			Path: entry.Name, Expr: c.expand(a.Expr.Value), Required: a.Required, Allowed: c.expandAll(a.Allowed), Priority: c.expandAll(a.Priority),
			Apply: a.Apply, OnNull: a.OnNull, Owner: a.Owner, Multi: a.Multi, Redact: a.Redact,
		}
		if a.Default != nil {
			spec.Default = c.expand(a.Default.Value)
		}
		if len(a.Aliases) > 0 {
			spec.Aliases = map[string]string{}
			for name, alias := range a.Aliases.All() {
				name = c.expand(name)
				if _, twice := spec.Aliases[name]; twice {
					key := []string{section, "attributes", entry.Name, "aliases"}
					c.fault(configs.Position{}, key, fmt.Sprintf("%q is there twice", name), "")
				}
				spec.Aliases[name] = c.expand(alias.Value)
			}
		}
		specs = append(specs, spec)
	}
	if roles != nil {
		specs = append(specs, c.rolesSpec(roles))
	}
	c.specs[kind] = specs
	m, faults := mapping.New(kind, specs)
	for _, f := range faults {
		key := []string{section, "attributes", f.Path}
		at := c.cfg.Position(append([]string{"syncs", c.name}, key...)...)
		a, ok := in.Get(f.Path)
		switch {
		case ok && f.Field == "expr":
			at = a.Expr.At(c.sourceColumn(a.Expr.Value, f.Column))
		case !ok && roles != nil:
			key = []string{section, "mapping_roles", f.Field}
			if at = c.cfg.Position(append([]string{"syncs", c.name}, key...)...); f.Field == "from" {
				at = roles.From.At(c.sourceColumn(roles.From.Value, f.Column))
			}
		case ok && f.Field != "path":
			at = c.cfg.Position(append([]string{"syncs", c.name}, append(key, f.Field)...)...)
		}
		c.fault(at, key, f.Message, "")
	}
	return m
}

// rolesSpec makes the table of mapping roles the source of the attribute it writes to.
func (c *compiler) rolesSpec(in *configs.MappingRoles) mapping.Spec {
	table := &mapping.RolesSpec{From: c.expand(in.From.Value), NoValue: in.NoValue, NoMatch: in.NoMatch, Several: in.Several}
	for name, scopes := range in.Roles.All() {
		role := mapping.MappingRole{Name: c.expand(name)}
		for scope, roles := range scopes.All() {
			role.Scopes = append(role.Scopes, mapping.RoleScope{Scope: c.expand(scope), Roles: c.expandAll(roles)})
		}
		table.Roles = append(table.Roles, role)
	}
	return mapping.Spec{Path: in.To.Value, Roles: table}
}

func actionsOf(names []string) map[plan.Op]bool {
	actions := make(map[plan.Op]bool, len(names))
	for _, name := range names {
		actions[plan.Op(name)] = true
	}
	return actions
}

func (c *compiler) guard() guard.Guard {
	in := c.sync.Guard
	limit := func(l configs.Limit) (out guard.Limit) {
		out.Count = l.Count
		if l.Percent != nil {
			percent := float64(*l.Percent)
			out.Percent = &percent
		}
		return out
	}
	guard := guard.Guard{
		Removals: limit(in.Removals), Creations: limit(in.Creations), Updates: limit(in.Updates),
		MembersRemoved: limit(in.MembersRemoved), Lost: limit(in.Lost), FirstRunRemovals: in.FirstRunRemovals == "allow",
		Identity: limit(in.Identity), RemovalsPerDay: limit(in.RemovalsPerDay), GuestAddresses: in.GuestAddresses == "allow",
		Rejections: time.Duration(in.Rejections), Skipped: guard.Share{OfAtLeast: in.Skipped.OfAtLeast},
	}
	for _, domain := range c.expandAll(in.Domains) {
		guard.Domains = append(guard.Domains, strings.ToLower(domain))
	}
	if in.Skipped.Percent != nil {
		percent := float64(*in.Skipped.Percent)
		guard.Skipped.Percent = &percent
	}
	if in.Administrators != nil {
		filter, err := target.ParseFilter(c.expand(in.Administrators.Value))
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
