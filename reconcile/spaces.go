package reconcile

import "entrasync/reconcile/plan"

// The spaces of a sync's scratch storage in which a cycle keeps its plan.
const (
	claimSpace          = "claims"  // attribute NUL value → source id, for duplicates within a plan
	listingSpace        = "listing" // target id → resource that matches a user; in a link scan source id, of what was seen
	indexSpace          = "index"   // attribute NUL value NUL target id
	membershipSpace     = "pairs"   // group id, member id: memberships to look at
	waitingSpace        = "waiting" // manager id, user id: users whose manager has no account yet; kept over cycles
	managerRefSpace     = "refer"   // user id → manager id: references to look at in this plan
	shownMemberSpace    = "current" // group id, target id: who is in a group that is being adopted
	failedSpace         = "failed"  // pending key: failed in this cycle
	draftedSpace        = "drafted" // pending key: has been drafted in this cycle
	requeuedSpace       = "kept"    // pending key: to be looked at again in the next cycle
	parkedSpace         = "aside"   // kind, source id, target id → link of an account in another application; kept over cycles
	transferOfferSpace  = "given"   // source id: person gone for good, whose account may be given up
	existingMemberSpace = "seeds"   // group id, member id → target id: members an adopted group has already
	absentSpace         = "absent"  // group id, member id: was written to the group, which does not show the member
	toldSpace           = "told"    // kind NUL attribute NUL remark: what was reported of an attribute; kept over cycles
	changedSpace        = "changed" // kind, source id → number of changes that are not in a link; kept over cycles
	shownSpace          = "shown"   // kind, source id, attribute → value an application has instead; kept over cycles
)

// planSpaces are the spaces that a new plan begins with empty.
func planSpaces() []string {
	return []string{plan.ActionSpace, plan.SkippedSpace, plan.PartHeldSpace, plan.PartRejectedSpace, claimSpace, membershipSpace, shownMemberSpace, existingMemberSpace, absentSpace, managerRefSpace, requeuedSpace, draftedSpace, duePlannedSpace, transferOfferSpace, plan.DetachedSpace}
}

// Spaces of a sync for links that do not fit.
const (
	checkSpace = "checks" // kind, source id: the account is read by the next cycle; kept over cycles
)

// The spaces of orphans, by source id and account.
const (
	orphanSpace = "orphans"       // as the last complete look found them; kept over cycles
	foundSpace  = "orphans-found" // of the look that is under way
	valueSpace  = "orphans-value" // externalId, account → orphan whose user is yet to be found
)

// The spaces of a discovery.
const (
	accountSpace = "accounts" // target id → foundAccount
	wantedSpace  = "wanted"   // attribute NUL value NUL source id → 1 when in scope; source id → a byte per account
)

// freedSpace notes which object of the phase that is applied gives up a value: attribute, value → source id.
const freedSpace = "freed"
