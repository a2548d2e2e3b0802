package guard

import (
	"time"

	"entrasync/reconcile/plan"
	"entrasync/target"
)

// A Limit is a bound on what one cycle may do. What is nil does not bound; 0 holds everything.
type Limit struct {
	Count   *int
	Percent *float64
}

// A Share is at most Percent of at least OfAtLeast; a nil Percent does not bound.
type Share struct {
	Percent   *float64
	OfAtLeast int
}

// Guard bounds what a cycle does without an approval.
type Guard struct {
	Removals         Limit
	Creations        Limit
	Updates          Limit
	MembersRemoved   Limit // per group, and of the people whose access came through it
	Lost             Limit // accounts gone from the application that would be made again
	FirstRunRemovals bool  // false: a first run's removals are held
	// Domains are those whose addresses the tenant can prove to be its own, in lower case; nil does
	// not bound. Accounts that are not provably the tenant's are not taken over without an approval,
	// and no account is given an address elsewhere: an administrator of a tenant can give a user any
	// mail address, also that of another customer's.
	Domains []string
	// GuestAddresses lets guests have addresses outside of Domains; accounts that exist with one are
	// held all the same.
	GuestAddresses bool
	// HoldGroups holds the takeover of every group that the sync does not own, whatever
	// GroupRules.Takeover says.
	HoldGroups     bool
	Identity       Limit // links whose account is another one in the application now
	RemovalsPerDay Limit // over the cycles of 24 hours: a slow trickle is seen
	// Administrators fits the accounts that administer the application, by what was last
	// applied to them; nil: none are known. The last ones are not lost without an approval.
	Administrators *target.Filter
	// Skipped is how much of the scope may be skipped in a successful cycle.
	Skipped Share `json:"-"`
	// Rejections is how long what a person rejected is not asked again; 0 for ever.
	Rejections time.Duration `json:"-"` // not a limit that a hold depends on
}

// Text returns the limits as text, to tell one configuration from another.
func (g *Guard) Text() string {
	limits := *g
	limits.Administrators = nil
	text := string(plan.Encode(limits))
	if g.Administrators != nil {
		text += g.Administrators.String()
	}
	return text
}
