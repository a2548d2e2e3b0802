package plan

import (
	"encoding/binary"
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/state"
)

// A Phase is a step of a plan. The order is: leavers first, because they are urgent and release their seats;
// then users, references to other users, groups and memberships, so that whatever is referred
// to exists before.
type Phase byte

// The phases of a plan in their order, but for IdentityPhase.
const (
	LeavePhase Phase = iota + 1
	UserPhase
	ReferencePhase
	GroupPhase
	MemberPhase
	IdentityPhase // carried out first, as it asks the application nothing
)

// Phases are the phases that are applied one after the other.
var Phases = []Phase{LeavePhase, UserPhase, ReferencePhase, GroupPhase, MemberPhase}

// A Part is a phase of the plan, or some actions of it by their number: from the first on, up to
// but without the last; To 0 is the end. Early is the part of the last phase that is applied before
// all others: the memberships of leavers, because some applications change none of a user who is
// switched off.
type Part struct {
	Phase    Phase
	From, To int
	Early    bool
	Pick     func(graphsync.ID) bool // only the actions on these objects; nil: on all
}

// A Key orders the plan and names an action in the stored plan: phase, source id, and
// for a large group's memberships the number of the part.
type Key struct {
	Phase Phase
	ID    graphsync.ID
	Part  uint32
}

// Bytes is the form in which keys are stored and sorted.
func (k Key) Bytes() []byte {
	b := make([]byte, 0, 21)
	b = append(b, byte(k.Phase))
	b = append(b, k.ID[:]...)
	return binary.BigEndian.AppendUint32(b, k.Part)
}

// ParseKey reads what Bytes made.
func ParseKey(b []byte) (Key, error) {
	if len(b) != 21 {
		return Key{}, fmt.Errorf("read stored plan: a key of %d bytes", len(b))
	}
	return Key{Phase: Phase(b[0]), ID: graphsync.ID(b[1:17]), Part: binary.BigEndian.Uint32(b[17:])}, nil
}

// PendingKey is the key that is settled when the action has been applied.
func (k Key) PendingKey() state.PendingKey {
	kind := graphsync.User
	switch {
	case k.Phase == IdentityPhase:
		kind = graphsync.Kind(k.Part)
	case k.Phase > ReferencePhase:
		kind = graphsync.Group
	}
	return state.PendingKey{Kind: kind, ID: k.ID}
}

// LinkKey is the key of what is stored for a linked object.
func LinkKey(kind graphsync.Kind, id graphsync.ID) []byte {
	return append([]byte{byte(kind)}, id[:]...)
}

// UnlinkKey is the place in the plan where a link is dropped.
func UnlinkKey(kind graphsync.Kind, id graphsync.ID) []byte {
	return Key{Phase: IdentityPhase, ID: id, Part: uint32(kind)}.Bytes()
}

// SkippedKey is the key of a skipped record.
func SkippedKey(k state.PendingKey) []byte {
	return Key{Phase: PhaseOf(k.Kind), ID: k.ID}.Bytes()
}

// Bits that mark, in the key of a group's changes of members, which part of them it is. Below them is the
// number of the part.
const (
	LeavesBit   = 0x80 // people only leave: a decision about them does not depend on who joins
	EarlyBit    = 0x40 // of LeavesBit: applied before the leavers are, as their accounts go
	PassingBit  = 0x20 // people leave who do not wait with those at the key without it, whose leaving is held
	ApprovedBit = 0x10 // people leave whose leaving was approved
	DriftBit    = 0x08 // memberships that were changed in the application, which wait for an approval
)

// PartKey is the key of a part of the changes of members that a key is of.
func PartKey(key []byte, bit byte) []byte {
	key = slices.Clone(key)
	key[len(key)-4] |= bit
	return key
}

// IsEarly reports whether memberships are changed before the leavers are, see [EarlyBit].
func IsEarly(key []byte) bool { return Phase(key[0]) == MemberPhase && key[len(key)-4]&EarlyBit != 0 }

// PhaseOf is the phase in which objects of a kind are made and changed.
func PhaseOf(kind graphsync.Kind) Phase {
	if kind == graphsync.Group {
		return GroupPhase
	}
	return UserPhase
}

// KindOfPhase is the kind of the objects of [UserPhase] and [GroupPhase].
func KindOfPhase(p Phase) graphsync.Kind {
	if p == GroupPhase {
		return graphsync.Group
	}
	return graphsync.User
}
