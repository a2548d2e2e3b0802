package reconcile

import (
	"context"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/snapshot"
	"entrasync/state"
)

// hiddenGroups are the groups that give access, or are provisioned, and whose members Graph leaves
// out for want of a permission: they look empty.
func (g *gapLister) hiddenGroups(ctx context.Context) (gaps []plan.Skipped, err error) {
	if len(RequirementsOf([]*Sync{g.sync}).GroupProperties) == 0 || g.opts.NoRefresh {
		return nil, nil
	}
	err = g.tenant.View(func(tx *state.Tx) error {
		add := func(id graphsync.ID, role string) {
			object, ok := tx.Objects().Get(graphsync.Group, id)
			if ok && object.Removed == graphsync.NotRemoved && snapshot.HidesMembers(&object) {
				gaps = append(gaps, plan.Skipped{Kind: graphsync.Group, SourceID: id, Key: desired.KeyOf(&object, nil), Code: "hidden_members",
					Why: "the group " + role + ", and its members are hidden: Graph leaves them out without the application permission " + graphsync.HiddenMembers})
			}
		}
		for id, role := range g.accessGroups(tx) {
			add(id, role)
		}
		if !g.sync.Groups.Enabled {
			return nil
		}
		for link, err := range tx.Links(g.sync.Name).All(graphsync.Group, graphsync.ID{}) {
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
	slices.SortFunc(gaps, func(a, b plan.Skipped) int { return slices.Compare(a.SourceID[:], b.SourceID[:]) })
	lacks, err := snapshot.LacksHiddenMembers(ctx, g.source)
	if err != nil || !lacks {
		return nil, err
	}
	return gaps, nil
}

// accessGroups are the groups whose members decide who is in scope, with what each of them is.
func (g *gapLister) accessGroups(tx *state.Tx) map[graphsync.ID]string {
	out := map[graphsync.ID]string{}
	if s := &g.sync.Scope; s.ByGroups() {
		for group := range tx.Objects().All(graphsync.Group, graphsync.ID{}) {
			switch name := desired.StringProperty(&group, "displayName"); {
			case s.ExcludeGroups.Has(group.ID, name):
				out[group.ID] = "is excluded"
			case s.IncludeGroups.Has(group.ID, name):
				out[group.ID] = "is included"
			}
		}
	}
	var below []graphsync.ID
	for principal := range tx.Assignments(g.sync.AppID).Principals(graphsync.ID{}) {
		if principal.Kind == graphsync.Group {
			out[principal.ID] = "is assigned to the application"
			below = append(below, principal.ID)
		}
	}
	for g.sync.Scope.Nested && len(below) > 0 {
		for member := range tx.Members().Of(below[0]) {
			if _, seen := out[member.ID]; member.Kind == graphsync.Group && !seen {
				out[member.ID] = "is below a group that is assigned to the application"
				below = append(below, member.ID)
			}
		}
		below = below[1:]
	}
	return out
}
