package snapshot

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"entrasync/graphsync"
	"entrasync/state"
)

// directLimit bounds how many objects a cycle reads one by one because their entries could not be
// understood. The others stay as they were known, and are listed, until their turn comes.
const directLimit = 200

// A directReader reads single objects and the members of single groups, where a delta round left
// something open.
type directReader struct {
	source      graphsync.Source
	tenant      *state.Tenant
	tenantSyncs []string      // what changed is pending for them
	losses      *atomic.Int64 // groups and memberships that are gone
}

// resolve reads the doubtful objects of a kind. One that cannot be understood here either stays
// doubtful, and stops nothing.
func (r *directReader) resolve(ctx context.Context, kind graphsync.Kind, properties []string) error {
	var ids []graphsync.ID
	err := r.tenant.View(func(tx *state.Tx) error {
		for doubt := range tx.Doubts().All(kind, graphsync.ID{}) {
			if ids = append(ids, doubt.ID); len(ids) == directLimit {
				break
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := r.object(ctx, kind, id, properties); err != nil && !concernsOne(err) {
			return fmt.Errorf("read %s %s directly: %w", kind, id, err)
		}
	}
	return nil
}

// concernsOne reports whether an error concerns one object alone: what Graph sends of it cannot be
// understood, or the app may not read it.
func concernsOne(err error) bool {
	e := (*graphsync.Error)(nil)
	return errors.As(err, &e) && (e.Class == graphsync.BadResponse || e.Class == graphsync.PermissionMissing)
}

// object reads one object, of a group its members too.
func (r *directReader) object(ctx context.Context, kind graphsync.Kind, id graphsync.ID, properties []string) error {
	change, err := r.source.Object(ctx, kind, id, properties)
	if err != nil {
		return err
	}
	if change == nil {
		presence, err := r.source.Presence(ctx, kind, []graphsync.ID{id})
		if err != nil {
			return err
		}
		if kind == graphsync.Group && presence[0] != graphsync.Present {
			r.losses.Add(1)
		}
		return r.tenant.Update(func(tx *state.Tx) error {
			if err := tx.Objects().RecordPresence(kind, id, presence[0], r.tenantSyncs); err != nil || presence[0] == graphsync.Unknown {
				return err
			}
			return tx.Doubts().End(kind, id)
		})
	}
	if err := r.tenant.Update(func(tx *state.Tx) error { return tx.Objects().Put(change, r.tenantSyncs) }); err != nil || kind == graphsync.User {
		return err
	}
	return r.members(ctx, id)
}

// members reads a group's members and makes the snapshot's agree with them. Where an entry cannot be
// understood, members that were not met stay, and so does the doubt.
func (r *directReader) members(ctx context.Context, group graphsync.ID) error {
	present, bad, err := r.membersOf(ctx, group)
	if err != nil {
		return err
	}
	hidden, err := r.areHidden(ctx, group)
	if err != nil {
		return err
	}
	return r.tenant.Update(func(tx *state.Tx) error {
		for member := range present {
			if err := tx.Members().Set(group, member, true, r.tenantSyncs); err != nil {
				return err
			}
		}
		if hidden { // members that are not shown are none that left
			return tx.Doubts().End(graphsync.Group, group)
		}
		if len(bad) > 0 {
			return tx.Doubts().Put(state.Doubt{Kind: graphsync.Group, ID: group, Reason: fmt.Sprintf("a member of the group (%s): %s", bad[0].ID, bad[0].Reason)})
		}
		var gone []state.Member
		for member := range tx.Members().Of(group) {
			if !present[member] {
				gone = append(gone, member)
			}
		}
		r.losses.Add(int64(len(gone)))
		for _, member := range gone {
			if err := tx.Members().Set(group, member, false, r.tenantSyncs); err != nil {
				return err
			}
		}
		return tx.Doubts().End(graphsync.Group, group)
	})
}

// areHidden reports whether Graph does not show a group's members to this app.
func (r *directReader) areHidden(ctx context.Context, group graphsync.ID) (bool, error) {
	hidden := false
	err := r.tenant.View(func(tx *state.Tx) error {
		object, ok := tx.Objects().Get(graphsync.Group, group)
		hidden = ok && HidesMembers(&object)
		return nil
	})
	if err != nil || !hidden {
		return false, err
	}
	return LacksHiddenMembers(ctx, r.source)
}

// membersOf reads the members of a group that are users or groups. It asks Graph about those whose
// type is not given, or is a word that Graph has added, when the snapshot does not have them.
func (r *directReader) membersOf(ctx context.Context, group graphsync.ID) (present map[state.Member]bool, bad []graphsync.BadRecord, err error) {
	present = map[state.Member]bool{}
	var open []graphsync.ID
	read := func() error {
		bad, err = r.source.Members(ctx, group, func(members []graphsync.MemberChange) error {
			return r.tenant.View(func(tx *state.Tx) error {
				for _, m := range members {
					if m.Kind == 0 {
						m.Kind = tx.Objects().KindOf(m.ID)
					}
					if m.Kind == 0 {
						open = append(open, m.ID)
						continue
					}
					present[state.Member{Kind: m.Kind, ID: m.ID}] = true
				}
				return nil
			})
		})
		return err
	}
	if err := repeated(read); err != nil || len(open) == 0 {
		return present, bad, err
	}
	kinds, err := r.source.Kinds(ctx, open)
	if err != nil {
		return nil, nil, err
	}
	for i, kind := range kinds {
		if kind != 0 {
			present[state.Member{Kind: kind, ID: open[i]}] = true
		}
	}
	return present, bad, nil
}

// repeated runs a read again, once, when Graph refused a link to a further page, or gave a list that
// does not fit its own count: a second read usually agrees.
func repeated(read func() error) error {
	err := read()
	if errors.Is(err, graphsync.ErrResync) || errors.Is(err, graphsync.ErrIncomplete) {
		err = read()
	}
	return err
}
