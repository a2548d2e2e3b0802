package desired

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/scope"
	"entrasync/state"
	"entrasync/target"
)

// An Eligibility says whether a user gets an account in an application, and why.
type Eligibility struct {
	Known    bool // the directory has reported this user
	InScope  bool // assigned (or all), not excluded, passes the filter, exists
	Enabled  bool // accountEnabled
	Disabled bool // accountEnabled is false; neither is set when Graph did not say
	Guest    bool // what the directory calls the user
	Why      string
	Assigned string       // how the person is assigned, or why all are in scope; "" when not
	Cause    string       // what a guard groups by when the person leaves
	Reason   LeaveReason  // why the user is not Active; "" when active or not to be told
	Left     graphsync.ID // the group the person was in scope through and is no longer a member of
	Via      graphsync.ID // the group the assignment came through; zero: directly, or all
	Filtered bool         // the scoping filter keeps the user out
	Problem  string       // why it cannot be told; nothing is done then
	WaitsFor graphsync.ID // the manager, when there is one without an account
	Roles    []graphsync.AppRole
	Notes    []string
	// Unconfirmed says that the person is in scope, or has one of the roles, through nothing but
	// assignments that Graph's last list lacked. It takes nothing away and grants nothing new.
	Unconfirmed bool
}

// Active reports whether the person should have a working account: Entra's IsSoftDeleted is
// its opposite (unassigned, out of the filter, deleted, or disabled).
func (s *Eligibility) Active() bool { return s.InScope && s.Enabled }

// An Evaluator works out eligibility and desired attributes from the snapshot, within one
// transaction at a time. It remembers the assignments of groups, of which there are few.
type Evaluator struct {
	sync   *Config
	now    time.Time
	tx     *state.Tx
	app    graphsync.App
	roles  map[graphsync.ID]graphsync.AppRole
	domain string // the tenant's default, "" when not known
	groups map[graphsync.ID]*GroupFacts
	// Ask asks the application whether a value is in use; nil when no request is allowed.
	Ask func(by target.Path, value string) (bool, error)
}

// GroupFacts are what decides about the members of a group.
type GroupFacts struct {
	Name     string
	live     bool
	assigned []grantedRole
	parents  []graphsync.ID // read only for nested groups
	read     bool

	provisioned *bool // as a group; nil until asked
}

// A grantedRole is one assignment of a principal.
type grantedRole struct {
	role      graphsync.ID // zero: default access
	confirmed bool         // Graph's last list had it
}

// Unconfirmed reports whether a group is assigned by nothing but assignments that Graph's last list
// lacked.
func (g *GroupFacts) Unconfirmed() bool {
	return len(g.assigned) > 0 && !slices.ContainsFunc(g.assigned, func(a grantedRole) bool { return a.confirmed })
}

// NewEvaluator returns an evaluator that takes now for the time. Bind it with In before use.
func NewEvaluator(s *Config, now time.Time) *Evaluator {
	return &Evaluator{sync: s, now: now, groups: map[graphsync.ID]*GroupFacts{}}
}

// In binds the evaluator to a transaction. What it remembered of groups stays true for a cycle:
// the snapshot does not change between drafting and applying.
func (e *Evaluator) In(tx *state.Tx) *Evaluator {
	e.tx = tx
	if e.roles == nil {
		organization, _ := tx.Organization()
		e.domain = organization.DefaultDomain
		e.app, _ = tx.Assignments(e.sync.AppID).App()
		e.roles = make(map[graphsync.ID]graphsync.AppRole, len(e.app.Roles))
		for _, role := range e.app.Roles {
			e.roles[role.ID] = role
		}
	}
	return e
}

// Group returns what is known of a group in the snapshot; its name is its id when it has none.
func (e *Evaluator) Group(id graphsync.ID) *GroupFacts {
	facts := e.groups[id]
	if facts == nil {
		facts = &GroupFacts{Name: id.String()}
		if object, ok := e.tx.Objects().Get(graphsync.Group, id); ok {
			facts.live = object.Removed == graphsync.NotRemoved
			if name := StringProperty(&object, "displayName"); name != "" {
				facts.Name = name
			}
		}
		facts.assigned = e.granted(id)
		e.groups[id] = facts
	}
	return facts
}

// granted returns the assignments of a user or group.
func (e *Evaluator) granted(principal graphsync.ID) (roles []grantedRole) {
	for a := range e.tx.Assignments(e.sync.AppID).Of(principal) {
		roles = append(roles, grantedRole{role: a.Role, confirmed: !e.tx.Assignments(e.sync.AppID).Missed(a.ID)})
	}
	return roles
}

// Eligibility works out one person's. link is what was last known of the account, to tell what
// the person left; nil when there is none.
func (e *Evaluator) Eligibility(user *state.Object, link *state.Link) Eligibility {
	s := Eligibility{Known: true, Guest: IsGuest(user)}
	switch raw, _ := user.Value("accountEnabled"); string(raw) {
	case "true":
		s.Enabled = true
	case "false":
		s.Disabled = true
	}
	switch user.Removed {
	case graphsync.SoftDeleted:
		s.Why, s.Cause, s.Reason = "deleted in Entra (restorable)", "deleted in Entra", Deleted
		return s
	case graphsync.Purged:
		s.Why, s.Cause, s.Reason = "deleted in Entra for good", "deleted in Entra", Deleted
		return s
	}
	if why, cause, ok := e.assigned(user, link, &s); !ok {
		s.Why, s.Cause, s.Reason = why, cause, OutOfScope
		return s
	}
	s.Assigned = s.Why
	if why, cause, out := e.excluded(user, link, &s); out {
		s.Why, s.Cause, s.Reason = why, cause, OutOfScope
		return s
	}
	s.InScope = true
	if s.Disabled {
		s.Why, s.Cause, s.Reason = "the user is disabled in Entra", "disabled in Entra", Inactive
	}
	return s
}

// assigned finds how the person is in scope: by the shortest way, directly first.
func (e *Evaluator) assigned(user *state.Object, link *state.Link, s *Eligibility) (why, cause string, ok bool) {
	if e.sync.Scope.All {
		s.Why = "every user of the tenant is in scope"
		if len(e.app.Roles) > 0 {
			e.collectRoles(user, s)
		}
		return "", "", true
	}
	if e.collectRoles(user, s) {
		return "", "", true
	}
	if link == nil {
		return "not assigned to the application", "not assigned", false
	}
	if link.Via.IsZero() {
		return "no longer assigned to the application", "assignment of the user removed", false
	}
	via := e.Group(link.Via)
	switch {
	case !via.live:
		return fmt.Sprintf("group %s, which gave the assignment, was deleted", via.Name), fmt.Sprintf("group %s was deleted", via.Name), false
	case len(via.assigned) == 0:
		return fmt.Sprintf("group %s is no longer assigned to the application", via.Name), fmt.Sprintf("group %s lost its assignment", via.Name), false
	default:
		s.Left = link.Via
		return fmt.Sprintf("no longer a member of group %s", via.Name), fmt.Sprintf("left group %s", via.Name), false
	}
}

// collectRoles gathers the roles from the person's own rows and from the rows of groups the
// person is a direct member of (or, by choice, a nested one), and tells whether there is any.
// What only unconfirmed rows give comes last.
func (e *Evaluator) collectRoles(user *state.Object, s *Eligibility) bool {
	c := roleCollector{declared: e.roles, eligibility: s, why: !e.sync.Scope.All}
	c.add(e.granted(user.ID), graphsync.ID{}, "assigned directly")
	for _, id := range e.groupsOf(user.ID) {
		if facts := e.Group(id); facts.live {
			c.add(facts.assigned, id, "assigned through group "+facts.Name)
		}
	}
	for _, later := range c.later {
		before, roles := c.found, len(s.Roles)
		c.grant(later.role, later.via, later.why)
		s.Unconfirmed = s.Unconfirmed || !before || len(s.Roles) > roles
	}
	return c.found
}

// A roleCollector adds up what assignments give a person.
type roleCollector struct {
	declared    map[graphsync.ID]graphsync.AppRole
	eligibility *Eligibility
	why         bool // say in the eligibility through which assignment the person is in scope
	found       bool
	later       []unconfirmedGrant
}

// An unconfirmedGrant is an assignment that Graph's last list lacked.
type unconfirmedGrant struct {
	role, via graphsync.ID
	why       string
}

func (c *roleCollector) add(assigned []grantedRole, via graphsync.ID, why string) {
	for _, a := range assigned {
		if a.confirmed {
			c.grant(a.role, via, why)
		} else {
			c.later = append(c.later, unconfirmedGrant{role: a.role, via: via, why: why})
		}
	}
}

func (c *roleCollector) grant(role, via graphsync.ID, why string) {
	s := c.eligibility
	if !c.found {
		c.found, s.Via = true, via
		if c.why {
			s.Why = why
		}
	}
	if role.IsZero() {
		return // default access carries no role
	}
	declared, ok := c.declared[role]
	if !ok || slices.ContainsFunc(s.Roles, func(r graphsync.AppRole) bool { return r.ID == role }) {
		return
	}
	if !declared.Enabled {
		s.Notes = append(s.Notes, fmt.Sprintf("app role %q is disabled and was ignored", declared.Name))
		return
	}
	s.Roles = append(s.Roles, declared)
}

// groupsOf returns the groups whose assignments reach a member: the direct ones, and with
// nested groups also those above them, each once even where groups contain each other.
func (e *Evaluator) groupsOf(member graphsync.ID) []graphsync.ID {
	direct := slices.Collect(e.tx.Members().GroupsOf(member))
	if !e.sync.Scope.Nested {
		return direct
	}
	seen := make(map[graphsync.ID]bool, len(direct))
	queue := direct
	var all []graphsync.ID
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if seen[id] {
			continue
		}
		seen[id] = true
		all = append(all, id)
		facts := e.Group(id)
		if !facts.live {
			continue // what a deleted group is a member of does not reach its members
		}
		if !facts.read {
			facts.parents, facts.read = slices.Collect(e.tx.Members().GroupsOf(id)), true
		}
		queue = append(queue, facts.parents...)
	}
	return all
}

// GroupInScope tells whether a group is provisioned as a group. A group that a filter cannot
// judge is not, and nothing is done to it: problem says why.
func (e *Evaluator) GroupInScope(group *state.Object) (why string, ok bool, problem string) {
	rules := &e.sync.Groups
	switch {
	case !rules.Enabled:
		return "groups are not provisioned", false, ""
	case group.Removed != graphsync.NotRemoved:
		return "the group was deleted in Entra", false, ""
	case rules.Filter != nil:
		verdict, reason := rules.Filter.Match(filterLookup(group), e.now)
		switch verdict {
		case scope.In:
			return "passes the filter for groups", true, ""
		case scope.Invalid:
			return "", false, reason.String()
		}
		return "does not pass the filter for groups: " + reason.String(), false, ""
	case rules.All:
		return "every group of the tenant is in scope", true, ""
	case len(e.Group(group.ID).assigned) > 0:
		return "assigned to the application", true, ""
	}
	return "not assigned to the application", false, ""
}

// Next returns when the filter for objects of this kind may judge this one differently while Microsoft Entra reports no
// change of it; zero when it cannot.
func (e *Evaluator) Next(object *state.Object) time.Time {
	filter := e.sync.filter(object.Kind)
	if !filter.Dated() || object.Removed != graphsync.NotRemoved {
		return time.Time{}
	}
	return filter.Next(filterLookup(object), e.now)
}

// InProvisionedGroup reports whether a user is a member of a group that is provisioned.
func (e *Evaluator) InProvisionedGroup(user graphsync.ID) bool {
	for id := range e.tx.Members().GroupsOf(user) {
		facts := e.Group(id)
		if facts.provisioned == nil {
			object, ok := e.tx.Objects().Get(graphsync.Group, id)
			if ok {
				_, ok, _ = e.GroupInScope(&object)
			}
			facts.provisioned = &ok
		}
		if *facts.provisioned {
			return true
		}
	}
	return false
}

// taken reports whether another user has a value that must be unique: among the links, and in the
// application where it may be asked.
func (e *Evaluator) taken(object *state.Object, m *mapping.Mapping, value string) (bool, error) {
	for _, a := range m.Attributes() {
		if !a.Unique() {
			continue
		}
		for _, other := range e.tx.Links(e.sync.Name).SourcesByKey(object.Kind, MatchKey(a.Path.String(), value)) {
			if other != object.ID {
				return true, nil
			}
		}
		if e.Ask == nil {
			continue
		}
		if used, err := e.Ask(a.Path, value); used || err != nil {
			return used, err
		}
	}
	return false, nil
}

// Source presents an object of the snapshot to expressions. It computes what Graph does not
// store: IsSoftDeleted, roles, groups, tenant, the guest form of the user principal name.
type Source struct {
	Object      *state.Object
	Eval        *Evaluator
	Eligibility *Eligibility
}

// Attribute returns the value of an attribute by the name an expression uses.
func (s *Source) Attribute(name string) mapping.Value {
	switch {
	case strings.EqualFold(name, "objectId"), strings.EqualFold(name, "id"):
		return mapping.StringValue(s.Object.ID.String())
	case strings.EqualFold(name, graphsync.TypeProperty):
		return mapping.StringValue(typeName(s.Object))
	case strings.EqualFold(name, "tenantId"):
		return mapping.StringValue(s.Eval.sync.Tenant.String())
	case strings.EqualFold(name, "IsSoftDeleted"):
		return mapping.BoolValue(!s.Eligibility.Active())
	case strings.EqualFold(name, "appRoleAssignments"):
		return s.roles()
	case strings.EqualFold(name, "memberOf"):
		return s.memberOf()
	case strings.EqualFold(name, "manager"):
		return s.manager()
	}
	return mapping.GraphValue(name, s.Object.Kind, func(property string) []byte {
		raw, _ := s.Object.Value(property)
		return raw
	})
}

func (s *Source) roles() mapping.Value {
	roles := make([]mapping.Value, 0, len(s.Eligibility.Roles))
	for _, r := range s.Eligibility.Roles {
		roles = append(roles, mapping.RoleValue(r.ID.String(), r.Value, r.Name))
	}
	return mapping.ListValue(roles...)
}

// manager is a reference: in the application it is the manager's account there (RFC 7643
// section 4.3, manager.value), so a manager without one is waited for.
func (s *Source) manager() mapping.Value {
	id, err := graphsync.ParseID(StringProperty(s.Object, "manager"))
	if err != nil {
		return mapping.Value{}
	}
	link, ok, blocked, err := plan.PlannedLink(s.Eval.tx, s.Eval.sync.Name, graphsync.User, id)
	if err != nil || !ok || blocked {
		s.Eligibility.WaitsFor = id
		return mapping.Value{}
	}
	return mapping.ObjectValue(map[string]any{"value": link.TargetID})
}

func (s *Source) memberOf() mapping.Value {
	var names []string
	for _, id := range s.Eval.groupsOf(s.Object.ID) {
		if facts := s.Eval.Group(id); facts.live {
			names = append(names, facts.Name)
		}
	}
	slices.Sort(names)
	values := make([]mapping.Value, 0, len(names))
	for _, name := range names {
		values = append(values, mapping.StringValue(name))
	}
	return mapping.ListValue(values...)
}

// typeName is the type of an object: "user" or "group", or a subtype such as "agentUser".
func typeName(object *state.Object) string {
	if name := StringProperty(object, graphsync.TypeProperty); name != "" {
		return name
	}
	return object.Kind.String()
}

// StringProperty returns a property that is a JSON string, "" for anything else.
func StringProperty(o *state.Object, name string) string {
	raw, ok := o.Value(name)
	if !ok || len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// IsGuest reports whether the directory calls a user a guest.
func IsGuest(object *state.Object) bool {
	return strings.EqualFold(StringProperty(object, "userType"), "Guest")
}
