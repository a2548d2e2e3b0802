package reconcile

import (
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/drift"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// noteMembers keeps how the members that a group shows differ from those that were written: absent were, and added
// were not, by the user of the account.
func (l *memberLook) noteMembers(tx *state.Tx, group graphsync.ID, added, absent map[graphsync.ID]string) error {
	seen := drift.In(tx, l.sync)
	var over []graphsync.ID
	for key := range seen.Members(group) {
		if _, is := added[key.Member]; is {
			continue
		}
		if _, is := absent[key.Member]; !is {
			over = append(over, key.Member)
		}
	}
	for _, member := range over {
		if err := seen.ForgetMember(group, member); err != nil {
			return err
		}
	}
	about := plan.Action{Op: driftEvent, Kind: graphsync.Group, SourceID: group, Why: "the application has other members than what was applied"}
	for _, of := range []struct {
		members map[graphsync.ID]string
		shown   bool
		to      *[]graphsync.ID
	}{{added, true, &about.Add}, {absent, false, &about.Remove}} {
		for _, member := range sortedIDs(of.members) {
			news, err := seen.PutMember(group, member, drift.Membership{Account: of.members[member], Shown: of.shown, Compare: l.note.at})
			if err != nil {
				return err
			}
			if news {
				*of.to = append(*of.to, member)
			}
		}
	}
	if len(about.Add)+len(about.Remove) == 0 {
		return nil
	}
	l.note.news += len(about.Add) + len(about.Remove)
	if !l.note.audit {
		return nil
	}
	link, linked, err := tx.Links(l.sync).Get(graphsync.Group, group)
	if err != nil {
		return err
	}
	if linked {
		about.TargetID, about.Key = &link.TargetID, link.Key
	}
	entry := l.note.entry
	entry.Objects, entry.About = slices.Concat([]graphsync.ID{group}, about.Add, about.Remove), plan.Encode(&about)
	return tx.Audit().Append(entry)
}

// A memberNote says how a compare keeps what differs, instead of having it put right.
type memberNote struct {
	at    drift.Compare
	audit bool
	entry state.AuditEntry
	news  int // memberships that were not known to differ
}

func sortedIDs(of map[graphsync.ID]string) []graphsync.ID {
	ids := make([]graphsync.ID, 0, len(of))
	for id := range of {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b graphsync.ID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

// seedMembers has the plan of memberships start from what groups show, where the configuration says to put that right.
// compared has each of them looked at: what waits for an approval is pending anyway.
func (c *comparer) seedMembers(compared bool) error {
	if c.sync.Drift.Member() == drift.Report || c.opts.Subject != nil || c.opts.Undo != nil {
		return nil
	}
	return c.tenant.Update(func(tx *state.Tx) error {
		seen := drift.In(tx, c.sync.Name)
		if _, members := seen.Count(); members == 0 {
			return nil
		}
		shown, absent, pairs := tx.Space(c.sync.Name, shownMemberSpace), tx.Space(c.sync.Name, absentSpace), tx.Space(c.sync.Name, membershipSpace)
		for key, m := range seen.Members(graphsync.ID{}) {
			space, at := absent, membershipKey(key.ID, key.Member)
			if m.Shown {
				space, at = shown, append(slices.Clone(key.ID[:]), m.Account...)
			}
			if err := space.Put(at, nil); err != nil {
				return err
			}
			if !compared {
				continue
			}
			if err := pairs.Put(membershipKey(key.ID, key.Member), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// heldAsDrift reports whether a change of a membership puts drift right that waits for an approval.
func (d *memberDrafter) heldAsDrift(group, member graphsync.ID) bool {
	return d.sync.Drift.Member() == drift.Hold && drift.In(d.tx, d.sync.Name).Member(group, member) != nil
}

// flushDrift stores what waits for an approval because it puts drift right, apart from what the directory asks for.
func (d *memberDrafter) flushDrift(part *memberPart) error {
	for _, of := range []struct {
		bit         byte
		add, remove []graphsync.ID
	}{{plan.DriftBit, part.driftAdd, nil}, {plan.DriftBit | plan.LeavesBit, nil, part.driftRemove}} {
		if len(of.add)+len(of.remove) == 0 {
			continue
		}
		a := plan.StoredAction{Action: plan.Action{Op: plan.Members, Kind: graphsync.Group, SourceID: part.group, TargetID: part.target, Key: part.name,
			Add: of.add, Remove: of.remove, Why: plan.MembersWhy(of.add, of.remove), Cause: driftMembers}, Held: guard.Hold(guard.Drift, driftMembers)}
		d.ledger.planned(graphsync.Group, plan.Members, 1)
		if err := d.plan.Put(plan.PartKey(plan.Key{Phase: plan.MemberPhase, ID: part.group, Part: part.number}.Bytes(), of.bit), &a); err != nil {
			return err
		}
	}
	part.driftAdd, part.driftRemove = nil, nil
	return nil
}
