package reconcile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// An Op is what an action does.
type Op string

// The operations of the contract. Groups have Create, Adopt, Update, Delete and Members.
const (
	Create     Op = "create"
	Adopt      Op = "adopt"
	Update     Op = "update"
	Deactivate Op = "deactivate"
	Reactivate Op = "reactivate"
	Delete     Op = "delete"
	Members    Op = "members"
	// Unlink drops the link of an account that is another one in the application now. Nothing is
	// written to the application.
	Unlink Op = "unlink"
)

// Removes reports whether the operation takes something away from a person.
func (op Op) Removes() bool { return op == Deactivate || op == Delete }

// A Change is one attribute of an action. Values of attributes that are redacted, or that are
// only made when the action is applied, are replaced by a word in brackets.
type Change struct {
	Attribute string `json:"attribute"`
	Old       any    `json:"old"`
	New       any    `json:"new"`
}

// An Action is one step of a plan. Why is for people; no code reads it back.
type Action struct {
	Op       Op             `json:"op"`
	Kind     graphsync.Kind `json:"kind"`
	SourceID graphsync.ID   `json:"source_id"`
	TargetID *string        `json:"target_id"`
	Key      string         `json:"key"` // what people call it: userName or displayName
	// Name is the display name in Entra, "" when it is not read, is redacted or equals Key. It is only
	// set in a plan that is shown.
	Name    string         `json:"name,omitzero"`
	Changes []Change       `json:"changes,omitzero"`
	Add     []graphsync.ID `json:"add,omitempty"`    // members to add, by source id
	Remove  []graphsync.ID `json:"remove,omitempty"` // members to remove, by source id
	Why     string         `json:"why"`
	Cause   string         `json:"cause,omitempty"` // what a guard groups by
	Notes   []string       `json:"notes,omitempty"`
}

// A Held action waits for an approval.
type Held struct {
	Hold   string `json:"hold"`
	Guard  string `json:"guard"`
	Cause  string `json:"cause"`
	Action Action `json:"action"`
	// Members names the first people whose memberships the action changes, who leave first.
	Members []ChangedMember `json:"members,omitempty"`
}

// A Rejected action is due, but a person decided against it.
type Rejected struct {
	Hold   string `json:"hold"`
	Guard  string `json:"guard"`
	Cause  string `json:"cause"`
	Action Action `json:"action"`
	// Members names the first people whose memberships the action changes, who leave first.
	Members []ChangedMember `json:"members,omitempty"`
	Decision
}

// A Skipped record is one the plan does nothing for although somebody may expect it.
type Skipped struct {
	Kind     graphsync.Kind `json:"kind"`
	SourceID graphsync.ID   `json:"source_id"`
	Key      string         `json:"key"`
	Code     string         `json:"code"`
	Why      string         `json:"why"`
}

// A Failure is an action that did not succeed.
type Failure struct {
	Kind     graphsync.Kind `json:"kind"`
	SourceID graphsync.ID   `json:"source_id"`
	Key      string         `json:"key"`
	Op       Op             `json:"op"`
	Code     string         `json:"code"`
	Message  string         `json:"message"`
	RetryAt  string         `json:"retry_at,omitempty"`
}

// A Cycle is how much a run looked at.
type Cycle string

// The cycles of the contract.
const (
	Initial     Cycle = "initial"
	Incremental Cycle = "incremental"
	OnDemand    Cycle = "on-demand"
)

// The phases order a plan: leavers first, because they are urgent and give their seats free;
// then users, references to other users, groups and memberships, so that whatever is referred
// to exists before.
type phase byte

const (
	leavePhase phase = iota + 1
	userPhase
	referencePhase
	groupPhase
	memberPhase
	identityPhase // carried out first, as it asks the application nothing
)

var phases = []phase{leavePhase, userPhase, referencePhase, groupPhase, memberPhase}

// A part is a phase of the plan, or some actions of it by their number: from the first on, up to
// but without the last; to 0 is the end. early is the part of the last phase that is applied before
// all others: the memberships of leavers, because some applications change none of somebody who is
// switched off.
type part struct {
	phase    phase
	from, to int
	early    bool
	pick     func(graphsync.ID) bool // only the actions on these objects; nil: on all
}

// An actionKey orders the plan and names an action in the stored plan: phase, source id, and
// for a large group's memberships the number of the part.
type actionKey struct {
	phase phase
	id    graphsync.ID
	part  uint32
}

func (k actionKey) bytes() []byte {
	b := make([]byte, 0, 21)
	b = append(b, byte(k.phase))
	b = append(b, k.id[:]...)
	return binary.BigEndian.AppendUint32(b, k.part)
}

func parseActionKey(b []byte) (actionKey, error) {
	if len(b) != 21 {
		return actionKey{}, fmt.Errorf("read stored plan: a key of %d bytes", len(b))
	}
	return actionKey{phase: phase(b[0]), id: graphsync.ID(b[1:17]), part: binary.BigEndian.Uint32(b[17:])}, nil
}

// pendingKey is the key that is settled when the action has been applied.
func (k actionKey) pendingKey() state.PendingKey {
	kind := graphsync.User
	switch {
	case k.phase == identityPhase:
		kind = graphsync.Kind(k.part)
	case k.phase > referencePhase:
		kind = graphsync.Group
	}
	return state.PendingKey{Kind: kind, ID: k.id}
}

// digest identifies exactly this action and its words.
func (a *Action) digest() string {
	sum := sha256.Sum256(encode(a))
	return hex.EncodeToString(sum[:16])
}

// A Decision is who decided about a hold, when and why. Everything may be empty: nothing depends
// on it.
type Decision struct {
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`
}
