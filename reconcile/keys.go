package reconcile

import (
	"crypto/sha256"
	"strings"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

func membershipKey(group, member graphsync.ID) []byte {
	return append(append(make([]byte, 0, 32), group[:]...), member[:]...)
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

func pendingBytes(k state.PendingKey) []byte {
	b := append([]byte{byte(k.Kind)}, k.ID[:]...)
	return append(b, k.Member[:]...)
}

// unsure stands for the account of a membership that was being written when it was last heard
// of: it is written again, whether the member is wanted or not.
const unsure = ""

// valueKey is a space's key for a value of an attribute in any case. Values may be longer than
// keys can be, so it is a digest.
func valueKey(attribute, value string) []byte {
	sum := sha256.Sum256([]byte(attribute + "\x00" + strings.ToLower(value)))
	return sum[:]
}
