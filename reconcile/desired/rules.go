package desired

import (
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

// A Config is the part of a sync's configuration that decides who is in scope and what their
// accounts look like.
type Config struct {
	Name   string
	Tenant graphsync.ID
	AppID  string // whose assignments count
	Scope  Scope
	Users  Rules
	Groups GroupRules
}

// rules are the rules for the objects of one kind.
func (c *Config) rules(kind graphsync.Kind) *Rules {
	if kind == graphsync.Group {
		return &c.Groups.Rules
	}
	return &c.Users
}

// filter is the scoping filter for the objects of one kind; nil when there is none.
func (c *Config) filter(kind graphsync.Kind) *scope.Filter {
	if kind == graphsync.Group {
		return c.Groups.Filter
	}
	return c.Scope.Filter
}

// A Scope says who is provisioned.
type Scope struct {
	All           bool // every user of the tenant; else those assigned to the application
	Nested        bool // members of nested groups count too
	Guests        bool
	Filter        *scope.Filter // nil: everybody passes
	ExcludeUsers  []string      // object ids, user principal names or addresses
	ExcludeGroups GroupList     // their members are not in scope
	IncludeGroups GroupList     // only their members are in scope; empty: no group is needed
	Protect       []target.Filter
}

// ByGroups reports whether membership of groups by name decides who is in scope, whatever is assigned.
func (s *Scope) ByGroups() bool { return len(s.ExcludeGroups)+len(s.IncludeGroups) > 0 }

// Rules say how the objects of one kind are provisioned.
type Rules struct {
	Mapping  *mapping.Mapping
	Match    []string // target paths, tried in order
	Actions  map[plan.Op]bool
	OnRemove OnRemove
	// Of users who exist and are out of scope, and of users who were deleted; nil: as OnRemove says.
	OnUnassign, OnDelete *OnRemove
}

// Removal returns what happens to the account of a user who left for a reason.
func (r *Rules) Removal(reason LeaveReason) OnRemove {
	switch {
	case reason == Deleted && r.OnDelete != nil:
		return *r.OnDelete
	case reason == OutOfScope && r.OnUnassign != nil:
		return *r.OnUnassign
	}
	return r.OnRemove
}

// RemovalKey names the key of the configuration that Removal follows for a reason.
func (r *Rules) RemovalKey(reason LeaveReason) string {
	switch {
	case reason == Deleted && r.OnDelete != nil:
		return "on_delete"
	case reason == OutOfScope && r.OnUnassign != nil:
		return "on_unassign"
	}
	return "on_remove"
}

// DeletesLater reports whether accounts are deleted some time after they were switched off.
func (r *Rules) DeletesLater() bool {
	return slices.ContainsFunc([]LeaveReason{Deleted, OutOfScope, Inactive}, func(reason LeaveReason) bool { return r.Removal(reason).After > 0 })
}

// A LeaveReason is why a user has no right to an active account. It is stored: values are not renamed.
type LeaveReason string

// The reasons that a configuration distinguishes.
const (
	Inactive   LeaveReason = "inactive"     // disabled, or the mapping of active says false
	OutOfScope LeaveReason = "out_of_scope" // exists, and is not assigned, excluded or kept out by the scoping filter
	Deleted    LeaveReason = "deleted"      // in the directory, restorable or for good
)

// May reports whether the configuration lets the sync do this at all.
func (r *Rules) May(op plan.Op) bool {
	switch op {
	case plan.Adopt, plan.Members, plan.Unlink:
		return true
	}
	return r.Actions[op]
}

// Maps reports whether a target attribute has a mapping.
func (r *Rules) Maps(path string) bool {
	return slices.ContainsFunc(r.Mapping.Attributes(), func(a *mapping.Attribute) bool { return strings.EqualFold(a.Path.String(), path) })
}

// OnRemove says what happens to the account of a user who left.
type OnRemove struct {
	Do    plan.Op       // Deactivate, Delete or "" for nothing
	After time.Duration // with Deactivate: delete this long afterwards, 0 for never
}

// Takeover says what happens when a group of the same name exists.
type Takeover string

// The policies of contract `groups.takeover`.
const (
	TakeoverHold  Takeover = "hold"
	TakeoverAdopt Takeover = "adopt"
	TakeoverSkip  Takeover = "skip"
)

// GroupRules are the Rules for groups and which groups there are.
type GroupRules struct {
	Rules
	Enabled  bool
	All      bool          // every group; else assigned ones
	Filter   *scope.Filter // when set, the groups that pass it, assigned or not
	Takeover Takeover
}

// ByAssignment reports whether the assignments of a group decide whether it is in scope.
func (g *GroupRules) ByAssignment() bool { return !g.All && g.Filter == nil }

// Protects reports whether an account is one that is never touched.
func (s *Scope) Protects(r *target.Resource) bool {
	for _, filter := range s.Protect {
		if filter.Match(r.Attributes) {
			return true
		}
	}
	return false
}

// MatchKey is the form in which a matching value is indexed: applications compare userName in
// any case, so two spellings are one value here.
func MatchKey(path, value string) state.MatchKey {
	return state.MatchKey{Attribute: path, Value: strings.ToLower(value)}
}

// A Rename is a change of a matching attribute from one text to another.
type Rename struct{ Path, Old, New string }

// Renames returns what an action changes of the matching attributes.
func (r *Rules) Renames(a *plan.StoredAction) (out []Rename) {
	for _, change := range a.Changes {
		old, hadText := change.Old.(string)
		text, hasText := change.New.(string)
		if !hadText || !hasText || old == "" || text == "" || MadeOnApply(change.New) || strings.EqualFold(old, text) {
			continue
		}
		if slices.ContainsFunc(r.Match, func(path string) bool { return strings.EqualFold(path, change.Attribute) }) {
			out = append(out, Rename{change.Attribute, old, text})
		}
	}
	return out
}
