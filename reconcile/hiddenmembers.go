package reconcile

import (
	"context"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/state"
)

// hidesMembers reports whether the members of a group are shown only to apps with
// [graphsync.HiddenMembers].
func hidesMembers(group *state.Object) bool {
	return strings.EqualFold(desired.StringProperty(group, "visibility"), graphsync.HiddenMembership)
}

// lacksHiddenMembers reports whether the app may not read hidden memberships.
func lacksHiddenMembers(ctx context.Context, source graphsync.Source) (bool, error) {
	held, err := source.Permissions(ctx)
	return err == nil && !slices.Contains(held, graphsync.HiddenMembers), err
}
