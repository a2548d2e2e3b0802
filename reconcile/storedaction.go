package reconcile

import (
	"fmt"

	"entrasync/graphsync"
	"entrasync/state"
)

// storedAction is an Action with what applying it needs and printing it does not.
type storedAction struct {
	Action
	Match  []string     `json:"match,omitempty"`
	Rights adminRights  `json:"rights,omitzero"` // of an adoption: whether the account administers the application
	Via    graphsync.ID `json:"via,omitzero"`
	Left   graphsync.ID `json:"left,omitzero"`   // group that the person left, of a removal for that reason
	Former graphsync.ID `json:"former,omitzero"` // whose account it was that is adopted
	// FormerOwner is who kept it in another sync.
	FormerOwner state.Owner `json:"former_owner,omitzero"`
	Seen        bool        `json:"seen,omitzero"`     // its account was read for this plan
	Gone        bool        `json:"gone,omitzero"`     // of an unlink: there is no account under the id
	MovesTo     string      `json:"moves_to,omitzero"` // of an unlink: the account that is linked instead
	Held        *storedHold `json:"held,omitempty"`
	Rejected    *rejection  `json:"rejected,omitempty"`
	Leaving     string      `json:"leaving,omitempty"`  // digest of everybody whom a takeover removes: Remove may be cut
	Approved    bool        `json:"approved,omitempty"` // a person let it pass
	Orphan      bool        `json:"orphan,omitempty"`   // the account has no link
	External    string      `json:"external,omitempty"` // its externalId
	Literal     bool        `json:"literal,omitempty"`  // the new values are written as they are, whatever the mapping says
	Again       bool        `json:"again,omitempty"`    // the account was switched off before and is shown as active: see stillActive
}

type storedHold struct {
	Guard string `json:"guard"`
	Cause string `json:"cause"`
}

// A rejection is a person's no to an action, and the hold it was shown in.
type rejection struct {
	Decision
	Hold string `json:"hold"`
}

// A plannedAction is an action and its place in the plan.
type plannedAction struct {
	key    actionKey
	action *storedAction
}

// membersPart is how many membership changes one action holds at most: a group of a million
// is planned and applied in parts.
const membersPart = 5000

func membersWhy(add, remove []graphsync.ID) string {
	return fmt.Sprintf("%d join, %d leave", len(add), len(remove))
}
