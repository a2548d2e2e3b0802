package reconcile

import (
	"context"
	"fmt"

	"entrasync/graphsync"
	"entrasync/state"
)

// confirmBatch is how many absences are asked about at once (directoryObjects/getByIds takes
// 1,000).
const confirmBatch = 1000

// confirmAbsences asks Graph about each object that a full round did not show. Only a direct
// answer makes an absence: a list may be incomplete, also at its end.
func (p *puller) confirmAbsences(ctx context.Context, stream graphsync.Stream, direct *directReader) error {
	kind := stream.Kind()
	var after graphsync.ID
	for {
		sweep := false
		var ids []graphsync.ID
		err := p.tenant.View(func(tx *state.Tx) error {
			if sweep = tx.Cursors().Get(stream).Sweep; !sweep {
				return nil
			}
			for object := range tx.Objects().Unseen(kind, after) {
				if ids = append(ids, object.ID); len(ids) == confirmBatch {
					break
				}
			}
			return nil
		})
		if err != nil || len(ids) == 0 {
			if err == nil && stream == graphsync.Groups {
				err = p.confirmMembers(ctx, direct)
			}
			if err != nil || !sweep {
				return err
			}
			return p.tenant.Update(func(tx *state.Tx) error { return tx.Cursors().EndSweep(stream) })
		}
		answers, err := p.source.Presence(ctx, kind, ids)
		if err != nil {
			return fmt.Errorf("confirm that %d %ss are gone: %w", len(ids), kind, err)
		}
		present := 0
		err = p.tenant.Update(func(tx *state.Tx) error {
			present = 0
			for i, id := range ids {
				if answers[i] == graphsync.Present {
					present++
				}
				if err := tx.Objects().RecordPresence(kind, id, answers[i], p.peers); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if stream == graphsync.Groups {
			direct.losses.Add(int64(len(ids) - present))
		}
		if present > 0 {
			p.ledger.note("%s", counted(present, kind.String()+" was missing from a full read of the directory but exists: it was kept",
				kind.String()+"s were missing from a full read of the directory but exist: they were kept"))
		}
		after = ids[len(ids)-1]
	}
}

// confirmMembers reads the members of each group in which a full round left out somebody who
// was a member before.
func (p *puller) confirmMembers(ctx context.Context, direct *directReader) error {
	var doubtful []graphsync.ID
	err := p.tenant.View(func(tx *state.Tx) error {
		if !tx.Cursors().Get(graphsync.Groups).Sweep {
			return nil
		}
		for group := range tx.Members().Unseen(graphsync.ID{}, state.Member{}) {
			if len(doubtful) == 0 || doubtful[len(doubtful)-1] != group {
				doubtful = append(doubtful, group)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, group := range doubtful {
		if err := direct.members(ctx, group); err != nil {
			return fmt.Errorf("confirm the members of group %s: %w", group, err)
		}
	}
	return nil
}
