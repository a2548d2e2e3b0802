package snapshot

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/state"
)

// HidesMembers reports whether the members of a group are shown only to apps with
// [graphsync.HiddenMembers].
func HidesMembers(group *state.Object) bool {
	var visibility string
	raw, known := group.Value("visibility")
	return known && json.Unmarshal(raw, &visibility) == nil && strings.EqualFold(visibility, graphsync.HiddenMembership)
}

// LacksHiddenMembers reports whether the app may not read hidden memberships.
func LacksHiddenMembers(ctx context.Context, source graphsync.Source) (bool, error) {
	held, err := source.Permissions(ctx)
	return err == nil && !slices.Contains(held, graphsync.HiddenMembers), err
}
