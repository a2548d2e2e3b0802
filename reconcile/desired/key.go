package desired

import (
	"entrasync/graphsync"
	"entrasync/state"
)

// KeyOf is what people call an object when the mapping has no say.
func KeyOf(object *state.Object, link *state.Link) string {
	if link != nil && link.Key != "" {
		return link.Key
	}
	names := []string{"userPrincipalName", "mail", "displayName"}
	if object.Kind == graphsync.Group {
		names = []string{"displayName"}
	}
	for _, name := range names {
		if value := StringProperty(object, name); value != "" {
			return value
		}
	}
	return object.ID.String()
}
