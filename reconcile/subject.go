package reconcile

import (
	"context"
	"fmt"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/state"
)

// Find returns the object a key names: an object id, or a user's user principal name or
// address, or a group's display name. Names are compared in any case. An object that exists comes
// before those that were deleted; a name that fits several is an error.
func Find(ctx context.Context, tenant *state.Tenant, s Subject) (graphsync.ID, error) {
	if id, err := graphsync.ParseID(s.Key); err == nil {
		err := tenant.View(func(tx *state.Tx) error {
			if _, ok := tx.Objects().Get(s.Kind, id); !ok {
				return fmt.Errorf("%s %s: %w", s.Kind, s.Key, ErrUnknownSubject)
			}
			return nil
		})
		return id, err
	}
	names := []string{"userPrincipalName", "mail"}
	if s.Kind == graphsync.Group {
		names = []string{"displayName"}
	}
	var found, deleted []graphsync.ID
	err := tenant.View(func(tx *state.Tx) error {
		n := 0
		for object := range tx.Objects().All(s.Kind, graphsync.ID{}) {
			if n++; n%10000 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			for _, name := range names {
				if !strings.EqualFold(desired.StringProperty(&object, name), s.Key) {
					continue
				}
				if object.Removed == graphsync.NotRemoved {
					found = append(found, object.ID)
				} else {
					deleted = append(deleted, object.ID)
				}
				break
			}
		}
		return nil
	})
	if len(found) == 0 {
		found = deleted
	}
	switch {
	case err != nil:
		return graphsync.ID{}, err
	case len(found) == 0:
		return graphsync.ID{}, fmt.Errorf("%s %q: %w", s.Kind, s.Key, ErrUnknownSubject)
	case len(found) > 1:
		return graphsync.ID{}, fmt.Errorf("%s %q fits %d objects, such as %s and %s: name one by its object id", s.Kind, s.Key, len(found), found[0], found[1])
	}
	return found[0], nil
}
