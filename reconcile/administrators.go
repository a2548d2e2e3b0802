package reconcile

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// losesAdministrator notes an action after which an account no longer fits the filter for
// administrators. An account that is adopted counts among those there are now.
func (f *planStats) losesAdministrator(tx *state.Tx, sync *Sync, a *plan.StoredAction) error {
	filter := sync.Guard.Administrators
	if a.Op == plan.Adopt && a.Rights.Before {
		f.administrators++
		if !a.Rights.After && a.Held == nil {
			f.losing[a.SourceID] = true
		}
		return nil
	}
	if filter == nil || a.Kind != graphsync.User || !a.Op.Removes() && a.Op != plan.Update {
		return nil
	}
	link, ok, err := tx.Links(sync.Name).Get(graphsync.User, a.SourceID)
	if err != nil || !ok || !link.Active {
		return err
	}
	attributes := appliedAttributes(&link)
	if !filter.Match(attributes) {
		return nil
	}
	for _, change := range a.Changes {
		if path, err := target.ParsePath(change.Attribute); err == nil {
			path.Set(attributes, change.New)
		}
	}
	if a.Op.Removes() || !filter.Match(attributes) {
		f.losing[a.SourceID] = true
	}
	return nil
}

// countAdministrators counts the accounts that fit the filter now, when any would be lost.
func (f *planStats) countAdministrators(ctx context.Context, tx *state.Tx, sync *Sync) error {
	if len(f.losing) == 0 {
		return nil
	}
	n := 0
	for link, err := range tx.Links(sync.Name).All(graphsync.User, graphsync.ID{}) {
		if err != nil {
			return err
		}
		if n++; n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if link.Active && sync.Guard.Administrators.Match(appliedAttributes(&link)) {
			f.administrators++
		}
	}
	return nil
}

// appliedAttributes rebuilds an account from what was last applied to it.
func appliedAttributes(link *state.Link) map[string]any {
	attributes := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(link.Applied)) {
		path, err := target.ParsePath(name)
		var value any
		if err == nil && json.Unmarshal(link.Applied[name], &value) == nil {
			path.Set(attributes, value)
		}
	}
	return attributes
}
