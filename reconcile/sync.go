package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/drift"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/snapshot"
	"entrasync/state"
	"entrasync/target"
)

// A Sync is one compiled `syncs:` section for one tenant: who is in scope, what their accounts
// look like, what may be done, and what is held.
type Sync struct {
	Name       string
	TargetName string
	Location   state.Location // where TargetName is; its ID is what accounts are claimed under, "" means TargetName
	Tenant     graphsync.ID
	AppID      string // whose assignments count
	Scope      desired.Scope
	Users      desired.Rules
	Groups     desired.GroupRules
	Guard      guard.Guard
	Quarantine Quarantine
	Drift      *drift.Policy  // what is done about differences a complete compare finds; nil: what was applied is written again
	Zone       *time.Location // of the days that a plan announces; nil is UTC
	Text       string         // the configuration it was compiled from; a change evaluates every user again
}

// Quarantine says when a sync that mostly fails is paused: when more than Failures percent of
// at least AtLeast attempted actions failed.
type Quarantine struct {
	Failures float64
	AtLeast  int
}

// Hash identifies the configuration that decides what accounts should be.
func (s *Sync) Hash() string {
	sum := sha256.Sum256([]byte(s.Text))
	return hex.EncodeToString(sum[:16])
}

// location is where the accounts are.
func (s *Sync) location() state.Location {
	if s.Location.ID == "" {
		return state.Location{Key: s.TargetName, ID: s.TargetName}
	}
	return s.Location
}

// application is what the accounts are claimed under.
func (s *Sync) application() string { return s.location().ID }

// alwaysSelected are the user properties every decision needs: whether the person is enabled,
// a guest, and what to call them.
var alwaysSelected = []string{"accountEnabled", "displayName", "id", "mail", "userPrincipalName", "userType"}

// RequirementsOf returns what the syncs of one tenant need together. They share one snapshot and so
// one $select.
func RequirementsOf(syncs []*Sync) snapshot.Requirements {
	var r snapshot.Requirements
	users := slices.Clone(alwaysSelected)
	groups := []string{"displayName", "id", "members", "visibility"}
	readGroups := false
	add := func(to *[]string, names []string) {
		for _, name := range names {
			property, computed := mapping.GraphProperty(name)
			switch {
			case strings.EqualFold(name, "appRoleAssignments"):
				r.App, readGroups = true, true // roles come through groups too
			case strings.EqualFold(name, "memberOf"):
				readGroups = true
			}
			if !computed && property != "" {
				*to = append(*to, property)
			}
		}
	}
	for _, s := range syncs {
		r.Deletes = r.Deletes || s.Users.OnRemove.Do == plan.Delete || s.Groups.Enabled && s.Groups.May(plan.Delete)
		r.Organization = r.Organization || s.Users.Mapping.UsesDefaultDomain() || s.Groups.Enabled && s.Groups.Mapping.UsesDefaultDomain()
		add(&users, s.Users.Mapping.Sources())
		if s.Scope.Filter != nil {
			add(&users, s.Scope.Filter.Attributes())
		}
		if !s.Scope.All {
			r.App, readGroups = true, true
		}
		if s.Scope.ByGroups() {
			readGroups = true
		}
		if s.Groups.Enabled {
			readGroups = true
			add(&groups, s.Groups.Mapping.Sources())
			if s.Groups.Filter != nil {
				add(&groups, s.Groups.Filter.Attributes())
			}
			if !s.Groups.All && s.Groups.Filter == nil {
				r.App = true
			}
		}
	}
	r.UserProperties = distinct(users)
	if readGroups {
		r.GroupProperties = distinct(groups)
	}
	return r
}

// distinct sorts names and drops those that differ from another by case only: Graph takes them for
// the same property.
func distinct(names []string) []string {
	slices.Sort(names)
	seen := map[string]bool{}
	return slices.DeleteFunc(names, func(name string) bool {
		again := seen[strings.ToLower(name)]
		seen[strings.ToLower(name)] = true
		return again
	})
}

// Paths are the target attributes that are written, by kind.
func (s *Sync) Paths() map[target.Kind][]target.Path {
	paths := map[target.Kind][]target.Path{}
	for _, a := range s.Users.Mapping.Attributes() {
		paths[target.User] = append(paths[target.User], a.Path)
	}
	if s.Groups.Enabled {
		for _, a := range s.Groups.Mapping.Attributes() {
			paths[target.Group] = append(paths[target.Group], a.Path)
		}
	}
	return paths
}

func (s *Sync) readsClock() bool {
	return s.Users.Mapping.ReadsClock() || s.Groups.Enabled && s.Groups.Mapping.ReadsClock()
}

// dated reports whether the time changes who is in scope.
func (s *Sync) dated() bool {
	return s.Scope.Filter.Dated() || s.Groups.Enabled && s.Groups.Filter.Dated()
}

func targetKind(k graphsync.Kind) target.Kind {
	if k == graphsync.Group {
		return target.Group
	}
	return target.User
}

// rules are the rules for the objects of one kind.
func (s *Sync) rules(kind graphsync.Kind) *desired.Rules {
	if kind == graphsync.Group {
		return &s.Groups.Rules
	}
	return &s.Users
}

// config is what decides who is in scope and what their accounts look like.
func (s *Sync) config() *desired.Config {
	return &desired.Config{Name: s.Name, Tenant: s.Tenant, AppID: s.AppID, Scope: s.Scope, Users: s.Users, Groups: s.Groups}
}
