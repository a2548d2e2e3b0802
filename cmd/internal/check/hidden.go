package check

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/cmd/internal/words"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/snapshot"
)

// Bounds on the groups that check looks at one by one.
const (
	hiddenLimit   = 1000
	hiddenWorkers = 8
	hiddenTime    = 30 * time.Second
)

// hiddenMembers are the groups with a hidden membership that the syncs of a tenant use.
type hiddenMembers struct {
	groups   []string // display names
	looked   int      // how many groups were looked at
	complete bool     // those are all in use
}

// doubt says what is not known of the groups in use, "" when all were looked at or the permission is there.
func (h hiddenMembers) doubt(held []string) string {
	if h.complete || slices.Contains(held, graphsync.HiddenMembers) {
		return ""
	}
	return fmt.Sprintf("%s looked at for a hidden membership, which are not all that may be in use; without %s such a group looks empty",
		words.Count(h.looked, "group was", "groups were"), graphsync.HiddenMembers)
}

// hiddenGroups looks at the assigned groups, and at those of the first page where groups are
// provisioned by another rule. What cannot be read is left out: the tests of the calls say so.
func hiddenGroups(ctx context.Context, source graphsync.Source, needs snapshot.Requirements, tenantSyncs []*reconcile.Sync) (out hiddenMembers) {
	if len(needs.GroupProperties) == 0 {
		return hiddenMembers{complete: true}
	}
	out.complete = true
	properties := []string{"id", "displayName", "visibility"}
	seen := map[graphsync.ID]bool{}
	note := func(group *graphsync.Change) {
		if !seen[group.ID] && strings.EqualFold(textProperty(group, "visibility"), graphsync.HiddenMembership) {
			out.groups = append(out.groups, textProperty(group, "displayName"))
		}
		seen[group.ID] = true
	}
	defer func() { out.looked = len(seen) }()
	for _, group := range readGroups(ctx, source, assignedGroups(ctx, source, tenantSyncs, &out.complete), properties) {
		if group == nil {
			out.complete = false
		} else {
			note(group)
		}
	}
	for _, s := range tenantSyncs {
		if s.Groups.Filter != nil || s.Scope.ByGroups() || s.Scope.Nested {
			out.complete = false // which groups these are is known to a cycle only
		}
		if !s.Groups.Enabled || !s.Groups.All || s.Groups.Filter != nil {
			continue
		}
		page, err := source.DeltaPage(ctx, graphsync.Groups, properties, "")
		out.complete = out.complete && err == nil && page.Next == ""
		if err != nil {
			break
		}
		for i := range page.Changes {
			note(&page.Changes[i])
		}
		break
	}
	return out
}

// readGroups reads groups side by side, each once. One that is not read is nil, as are those above the limit.
func readGroups(ctx context.Context, source graphsync.Source, ids []graphsync.ID, properties []string) []*graphsync.Change {
	ctx, cancel := context.WithTimeout(ctx, hiddenTime)
	defer cancel()
	slices.SortFunc(ids, func(a, b graphsync.ID) int { return slices.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	groups := make([]*graphsync.Change, len(ids))
	var workers errgroup.Group
	workers.SetLimit(hiddenWorkers)
	for i, id := range ids[:min(len(ids), hiddenLimit)] {
		workers.Go(func() error {
			if group, err := source.Object(ctx, graphsync.Group, id, properties); err == nil {
				groups[i] = group
			}
			return nil
		})
	}
	_ = workers.Wait() // none fails: what is not read counts as that
	return groups
}

// assignedGroups are the groups with an assignment to an application that a sync reads.
func assignedGroups(ctx context.Context, source graphsync.Source, tenantSyncs []*reconcile.Sync, complete *bool) (ids []graphsync.ID) {
	apps := map[string]bool{}
	for _, s := range tenantSyncs {
		if apps[s.AppID] || !reconcile.RequirementsOf([]*reconcile.Sync{s}).App {
			continue
		}
		apps[s.AppID] = true
		app, err := source.App(ctx, s.AppID)
		if err == nil {
			_, err = source.Assignments(ctx, app.ID, func(page []graphsync.Assignment) error {
				for _, a := range page {
					if a.PrincipalKind == graphsync.Group {
						ids = append(ids, a.Principal)
					}
				}
				return nil
			})
		}
		*complete = *complete && err == nil
	}
	return ids
}

// textProperty returns a property that is a string, "" for anything else.
func textProperty(object *graphsync.Change, name string) (value string) {
	for _, p := range object.Properties {
		if strings.EqualFold(p.Name, name) && json.Unmarshal(p.Value, &value) == nil {
			return value
		}
	}
	return ""
}
