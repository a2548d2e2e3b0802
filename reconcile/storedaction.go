package reconcile

import (
	"crypto/sha256"
	"strings"

	"entrasync/graphsync"
	"entrasync/state"
)

// valueKey is a space's key for a value of an attribute in any case. Values may be longer than
// keys can be, so it is a digest.
func valueKey(attribute, value string) []byte {
	sum := sha256.Sum256([]byte(attribute + "\x00" + strings.ToLower(value)))
	return sum[:]
}

func pendingBytes(k state.PendingKey) []byte {
	b := append([]byte{byte(k.Kind)}, k.ID[:]...)
	return append(b, k.Member[:]...)
}

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
