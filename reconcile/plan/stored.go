package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/state"
)

// A StoredAction is an Action with what applying it needs and printing it does not.
type StoredAction struct {
	Action
	Match  []string     `json:"match,omitempty"`
	Rights AdminRights  `json:"rights,omitzero"` // of an adoption: whether the account administers the application
	Via    graphsync.ID `json:"via,omitzero"`
	Left   graphsync.ID `json:"left,omitzero"`   // group that the person left, of a removal for that reason
	Former graphsync.ID `json:"former,omitzero"` // whose account it was that is adopted
	// FormerOwner is who kept it in another sync.
	FormerOwner state.Owner `json:"former_owner,omitzero"`
	Seen        bool        `json:"seen,omitzero"`     // its account was read for this plan
	Gone        bool        `json:"gone,omitzero"`     // of an unlink: there is no account under the id
	MovesTo     string      `json:"moves_to,omitzero"` // of an unlink: the account that is linked instead
	Held        *StoredHold `json:"held,omitempty"`
	Rejected    *Rejection  `json:"rejected,omitempty"`
	Leaving     string      `json:"leaving,omitempty"`  // digest of everybody whom a takeover removes: Remove may be cut
	Approved    bool        `json:"approved,omitempty"` // a person let it pass
	Orphan      bool        `json:"orphan,omitempty"`   // the account has no link
	External    string      `json:"external,omitempty"` // its externalId
	Literal     bool        `json:"literal,omitempty"`  // the new values are written as they are, whatever the mapping says
	Undo        bool        `json:"undo,omitempty"`     // it puts back what was done before; see Syncer.Undo
	Again       bool        `json:"again,omitempty"`    // the account was switched off before and is shown as active: see stillActive
}

// A StoredHold says which guard holds an action, and for what cause.
type StoredHold struct {
	Guard string `json:"guard"`
	Cause string `json:"cause"`
}

// A Rejection is a person's no to an action, and the hold it was shown in.
type Rejection struct {
	Decision
	Hold string `json:"hold"`
}

// A PlacedAction is an action and its place in the plan.
type PlacedAction struct {
	Key    Key
	Action *StoredAction
}

// MaxMembers is how many membership changes one action holds at most: a group of a million
// is planned and applied in parts.
const MaxMembers = 5000

// MembersWhy says how many people join and leave a group.
func MembersWhy(add, remove []graphsync.ID) string {
	return fmt.Sprintf("%d join, %d leave", len(add), len(remove))
}

// AdminRights say whether an account is an active administrator of the application.
type AdminRights struct {
	Before bool `json:"before,omitempty"`
	After  bool `json:"after,omitempty"`
}

// Leave notes who is removed by taking a group over.
func (a *StoredAction) Leave(gone []graphsync.ID) {
	if len(gone) == 0 {
		return
	}
	slices.SortFunc(gone, func(a, b graphsync.ID) int { return bytes.Compare(a[:], b[:]) })
	sum := sha256.New()
	for _, id := range gone {
		sum.Write(id[:])
	}
	a.Leaving = hex.EncodeToString(sum.Sum(nil)[:16])
	a.Remove = gone[:min(len(gone), MaxMembers)]
}
