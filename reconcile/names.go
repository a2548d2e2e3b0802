package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/state"
)

// resourceWord is what the application has of an object.
func resourceWord(kind graphsync.Kind) string {
	if kind == graphsync.Group {
		return "group"
	}
	return "account"
}

// describeUser names the user of an account, or a group, and says when it was switched off or deleted.
func describeUser(object *state.Object, link *state.Link) string {
	text := desired.KeyOf(object, link)
	if id := object.ID.String(); text != id {
		text += " (" + id + ")"
	}
	switch object.Removed {
	case graphsync.SoftDeleted:
		text += ", deleted in Entra (restorable)"
	case graphsync.Purged:
		text += ", deleted in Entra for good"
	}
	switch {
	case link == nil || link.TargetID == "" || link.Kind == graphsync.Group:
	case link.Active:
		text += ", whose account is active"
	case !link.InactiveSince.IsZero():
		text += ", switched off on " + link.InactiveSince.Format("2006-01-02")
	}
	return text
}

// counted writes how many there are, in the singular or the plural.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// temporaryName is a name that no other object has, in the form of another: the object's mark comes
// before the @.
func temporaryName(value, word string, object graphsync.ID) string {
	sum := sha256.Sum256(object[:])
	mark := word + "-" + hex.EncodeToString(sum[:4])
	if at := strings.LastIndexByte(value, '@'); at > 0 {
		return value[:at] + "." + mark + value[at:]
	}
	return value + "." + mark
}
