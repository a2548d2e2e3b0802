package reconcile

import (
	"crypto/sha256"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

func membershipKey(group, member graphsync.ID) []byte {
	return append(append(make([]byte, 0, 32), group[:]...), member[:]...)
}

func linkKey(kind graphsync.Kind, id graphsync.ID) []byte {
	return append([]byte{byte(kind)}, id[:]...)
}

func unlinkKey(kind graphsync.Kind, id graphsync.ID) []byte {
	return actionKey{phase: identityPhase, id: id, part: uint32(kind)}.bytes()
}

func lostKey(kind graphsync.Kind, source graphsync.ID) []byte {
	return append([]byte{byte(kind)}, source[:]...)
}

func shownKey(link *state.Link, path string) []byte {
	return append(append([]byte{byte(link.Kind)}, link.Source[:]...), path...)
}

func parkedKey(link *state.Link) []byte {
	return append(append([]byte{byte(link.Kind)}, link.Source[:]...), link.TargetID...)
}

func indexKey(path target.Path, value, id string) []byte {
	return append(valueKey(path.String(), value), id...)
}

func skippedKey(k state.PendingKey) []byte {
	return actionKey{phase: phaseOf(k.Kind), id: k.ID}.bytes()
}

// Bits that mark, in the key of a group's changes of members, which part of them it is. Below them is the
// number of the part.
const (
	leavesBit   = 0x80 // people only leave: a decision about them does not depend on who joins
	earlyBit    = 0x40 // of leavesBit: applied before the leavers are, as their accounts go
	passingBit  = 0x20 // people leave who do not wait with those at the key without it, whose leaving is held
	approvedBit = 0x10 // people leave whose leaving was approved
)

// partKey is the key of a part of the changes of members that a key is of.
func partKey(key []byte, bit byte) []byte {
	key = slices.Clone(key)
	key[len(key)-4] |= bit
	return key
}

func isEarly(key []byte) bool { return phase(key[0]) == memberPhase && key[len(key)-4]&earlyBit != 0 }

// unsure stands for the account of a membership that was being written when it was last heard
// of: it is written again, whether the member is wanted or not.
const unsure = ""

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

// matchKey is the form in which a matching value is indexed: applications compare userName in
// any case, so two spellings are one value here.
func matchKey(path, value string) state.MatchKey {
	return state.MatchKey{Attribute: path, Value: strings.ToLower(value)}
}

func phaseOf(kind graphsync.Kind) phase {
	if kind == graphsync.Group {
		return groupPhase
	}
	return userPhase
}

// kindOfPhase is the kind of the objects of [userPhase] and [groupPhase].
func kindOfPhase(p phase) graphsync.Kind {
	if p == groupPhase {
		return graphsync.Group
	}
	return graphsync.User
}
