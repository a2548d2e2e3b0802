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

// checkMember returns [ErrNotMember] for a user who is not a member of the group that s names.
func checkMember(ctx context.Context, tenant *state.Tenant, nested bool, user graphsync.ID, s Subject) error {
	if s.MemberOf == "" {
		return nil
	}
	group, err := Find(ctx, tenant, Subject{Kind: graphsync.Group, Key: s.MemberOf})
	if err != nil {
		return fmt.Errorf("%w: %v", ErrNotMember, err) // not that the user is unknown
	}
	member := false
	err = tenant.View(func(tx *state.Tx) error {
		seen := map[graphsync.ID]bool{}
		for next := []graphsync.ID{user}; len(next) > 0 && !member; {
			of := next[0]
			next = next[1:]
			for above := range tx.Members().GroupsOf(of) {
				member = member || above == group
				if nested && !seen[above] {
					seen[above] = true
					next = append(next, above)
				}
			}
		}
		return ctx.Err()
	})
	if err == nil && !member {
		err = fmt.Errorf("user %q: %w %q", s.Key, ErrNotMember, s.MemberOf)
	}
	return err
}
