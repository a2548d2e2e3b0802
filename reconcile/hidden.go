package reconcile

import (
	"context"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/state"
)

// hidesMembers reports whether the members of a group are shown only to apps with
// [graphsync.HiddenMembers].
func hidesMembers(group *state.Object) bool {
	return strings.EqualFold(stringProperty(group, "visibility"), graphsync.HiddenMembership)
}

// lacksHiddenMembers reports whether the app may not read hidden memberships.
func lacksHiddenMembers(ctx context.Context, source graphsync.Source) (bool, error) {
	held, err := source.Permissions(ctx)
	return err == nil && !slices.Contains(held, graphsync.HiddenMembers), err
}

// hiddenGroups are the groups that give access, or are provisioned, and whose members Graph leaves
// out for want of a permission: they look empty.
func (c *cycle) hiddenGroups(ctx context.Context) (gaps []Skipped, err error) {
	if len(NeedsOf([]*Sync{c.Sync}).GroupProperties) == 0 || c.opts.NoRefresh {
		return nil, nil
	}
	err = c.Tenant.View(func(tx *state.Tx) error {
		add := func(id graphsync.ID, role string) {
			object, ok := tx.Object(graphsync.Group, id)
			if ok && object.Removed == graphsync.NotRemoved && hidesMembers(&object) {
				gaps = append(gaps, Skipped{Kind: graphsync.Group, SourceID: id, Key: keyOf(&object, nil), Code: "hidden_members",
					Why: "the group " + role + ", and its members are hidden: Graph leaves them out without the application permission " + graphsync.HiddenMembers})
			}
		}
		for principal := range tx.Principals(c.Sync.AppID, graphsync.ID{}) {
			if principal.Kind == graphsync.Group {
				add(principal.ID, "is assigned to the application")
			}
		}
		if !c.Sync.Groups.Enabled {
			return nil
		}
		for link, err := range tx.Links(c.Sync.Name, graphsync.Group, graphsync.ID{}) {
			if err != nil {
				return err
			}
			add(link.Source, "is provisioned")
		}
		return nil
	})
	if err != nil || len(gaps) == 0 {
		return nil, err
	}
	lacks, err := lacksHiddenMembers(ctx, c.Source)
	if err != nil || !lacks {
		return nil, err
	}
	return gaps, nil
}
