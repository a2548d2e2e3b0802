package guard

import (
	"slices"

	"entrasync/reconcile/plan"
)

// The guards, by the word that plans, holds, reports and metrics call them. What an operator does about a
// hold of each is in cmd/internal/advice. The words are part of the contract: none changes.
const (
	Administrator  = "administrator"    // the last administrators of the application would be lost
	Adoption       = "adoption"         // an existing account shows another user, or was another user's
	BrokenLink     = "broken_link"      // an operator broke the link of this user to this account
	Creations      = "creations"        // more accounts than Guard.Creations would be created
	Drift          = "drift"            // the application was changed otherwise, and drift says hold
	EmptiesGroup   = "empties_group"    // a group would lose all its members
	EmptyRead      = "empty_read"       // the directory was read as empty
	FirstRun       = "first_run"        // a first cycle would remove something
	ForeignDomain  = "foreign_domain"   // an address is not in a domain of the tenant
	FormerName     = "former_name"      // an inactive account has a name that another user needs
	FormerOwner    = "former_owner"     // an account was another tenant's or another sync's
	Identity       = "identity"         // a linked account is another one in the application now
	Lost           = "lost"             // more accounts than Guard.Lost are gone from the application
	MembersRemoved = "members_removed"  // more members than Guard.MembersRemoved would leave a group
	OnRemove       = "on_remove"        // a changed on_remove would delete inactive accounts
	Orphaned       = "orphaned"         // an account of a user without a right to it has no link
	Removals       = "removals"         // more accounts than Guard.Removals would be taken away
	RemovalsPerDay = "removals_per_day" // more than Guard.RemovalsPerDay over 24 hours
	Takeover       = "takeover"         // a group of the name exists
	Updates        = "updates"          // more accounts than Guard.Updates would change
)

var names = []string{Administrator, Adoption, BrokenLink, Creations, Drift, EmptiesGroup, EmptyRead, FirstRun, ForeignDomain, FormerName, FormerOwner, Identity,
	Lost, MembersRemoved, OnRemove, Orphaned, Removals, RemovalsPerDay, Takeover, Updates}

// Names returns the words of all guards, sorted.
func Names() []string { return slices.Clone(names) }

// Hold holds an action by a guard. Actions of one guard and one cause are one hold and get one decision.
func Hold(name, cause string) *plan.StoredHold { return &plan.StoredHold{Guard: name, Cause: cause} }
