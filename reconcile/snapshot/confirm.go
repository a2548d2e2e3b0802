package snapshot

import (
	"context"
	"fmt"

	"entrasync/graphsync"
	"entrasync/state"
)

// ConfirmBatch is how many absences are asked about at once (directoryObjects/getByIds takes
// 1,000).
const ConfirmBatch = 1000

// An absenceConfirmer asks Graph about what a full round of a stream did not show.
type absenceConfirmer struct {
	stream      graphsync.Stream
	source      graphsync.Source
	tenant      *state.Tenant
	tenantSyncs []string
	direct      *directReader
	took        *tally
}

// confirm asks about each object that a full round did not show. Only a direct answer makes an absence: a
// list may be incomplete, also at its end.
func (a *absenceConfirmer) confirm(ctx context.Context) error {
	kind := a.stream.Kind()
	var after graphsync.ID
	for {
		sweep := false
		var ids []graphsync.ID
		err := a.tenant.View(func(tx *state.Tx) error {
			if sweep = tx.Cursors().Get(a.stream).Sweep; !sweep {
				return nil
			}
			for object := range tx.Objects().Unseen(kind, after) {
				if ids = append(ids, object.ID); len(ids) == ConfirmBatch {
					break
				}
			}
			return nil
		})
		if err != nil || len(ids) == 0 {
			if err == nil && a.stream == graphsync.Groups {
				err = a.confirmMembers(ctx)
			}
			if err != nil || !sweep {
				return err
			}
			return a.tenant.Update(func(tx *state.Tx) error { return tx.Cursors().EndSweep(a.stream) })
		}
		presence, err := a.source.Presence(ctx, kind, ids)
		if err != nil {
			return fmt.Errorf("confirm that %d %ss are gone: %w", len(ids), kind, err)
		}
		present := 0
		err = a.tenant.Update(func(tx *state.Tx) error {
			present = 0
			for i, id := range ids {
				if presence[i] == graphsync.Present {
					present++
				}
				if err := tx.Objects().RecordPresence(kind, id, presence[i], a.tenantSyncs); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if a.stream == graphsync.Groups {
			a.direct.losses.Add(int64(len(ids) - present))
		}
		if present > 0 {
			a.took.noteCount(present, kind.String()+" was missing from a full read of the directory but exists: it was kept",
				kind.String()+"s were missing from a full read of the directory but exist: they were kept")
		}
		after = ids[len(ids)-1]
	}
}

// confirmMembers reads the members of each group in which a full round left out a
// user or group that was a member before.
func (a *absenceConfirmer) confirmMembers(ctx context.Context) error {
	var suspect []graphsync.ID
	err := a.tenant.View(func(tx *state.Tx) error {
		if !tx.Cursors().Get(graphsync.Groups).Sweep {
			return nil
		}
		for group := range tx.Members().Unseen(graphsync.ID{}, state.Member{}) {
			if len(suspect) == 0 || suspect[len(suspect)-1] != group {
				suspect = append(suspect, group)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, group := range suspect {
		if err := a.direct.members(ctx, group); err != nil {
			return fmt.Errorf("confirm the members of group %s: %w", group, err)
		}
	}
	return nil
}
