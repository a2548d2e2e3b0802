package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// current notes who is in a group that is adopted, and tells what taking it over means: who
// stays, who gains what the group gives, who would be removed. People this sync does not
// provision are left in it.
func (m *matcher) current(tx *state.Tx, a *plan.StoredAction, members []string) error {
	if m.kind != graphsync.Group || members == nil {
		return nil
	}
	space, pairs := tx.Space(m.sync.Name, shownMemberSpace), tx.Space(m.sync.Name, membershipSpace)
	stay, leave, foreign := 0, 0, 0
	var leaving, joining guard.Sample
	stays := map[graphsync.ID]bool{}
	var gone []graphsync.ID
	for _, id := range members {
		if err := space.Put(append(append([]byte(nil), a.SourceID[:]...), id...), nil); err != nil {
			return err
		}
		source, ours := tx.Links(m.sync.Name).ByTarget(graphsync.User, id)
		switch {
		case !ours:
			foreign++
		case tx.Members().Has(a.SourceID, source):
			stay++
			stays[source] = true
		default:
			leave++
			link, _, err := tx.Links(m.sync.Name).Get(graphsync.User, source)
			if err != nil {
				return err
			}
			leaving.Add(link.Key)
			gone = append(gone, source)
			if err := pairs.Put(membershipKey(a.SourceID, source), nil); err != nil {
				return err
			}
		}
	}
	a.Leave(gone)
	a.Notes = append(a.Notes, fmt.Sprintf("the group has %s: %d stay, %d would be removed, %d are not provisioned by this sync and are left in it", counted(len(members), "member", "members"), stay, leave, foreign))
	for member := range tx.Members().Of(a.SourceID) {
		object, ok := tx.Objects().Get(graphsync.User, member.ID)
		if ok && member.Kind == graphsync.User && !stays[member.ID] && object.Removed == graphsync.NotRemoved {
			joining.Add(desired.KeyOf(&object, nil))
		}
	}
	if leaving.N > 0 {
		a.Notes = append(a.Notes, "would be removed: "+leaving.String())
	}
	if joining.N > 0 {
		a.Notes = append(a.Notes, "would join and gain what the group gives, as far as they have accounts: "+joining.String())
	}
	return nil
}

// changesAccess reports whether an adoption replaces what an account is known by or what it may do: a
// user name, an address or a role. That is a change of the account as an update is, and filling in
// what was missing is none.
func changesAccess(a *plan.Action) bool {
	if a.Op != plan.Adopt || a.Kind != graphsync.User {
		return false
	}
	return slices.ContainsFunc(a.Changes, func(change plan.Change) bool {
		path, err := target.ParsePath(change.Attribute)
		if err != nil || change.Old == nil || change.Old == "" {
			return false
		}
		name := strings.ToLower(path.Name())
		switch name {
		case "username", "emails", "entitlements", "usertype":
			return true
		}
		old, text := change.Old.(string)
		return strings.Contains(name, "role") || text && guard.WholeAddress.MatchString(old)
	})
}
