package guard

import (
	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// SomeMembers names the first people whose memberships an action changes.
func SomeMembers(tx *state.Tx, sync string, a *plan.Action) []plan.ChangedMember {
	first := plan.Action{Remove: a.Remove[:min(len(a.Remove), membersNamed)]}
	first.Add = a.Add[:min(len(a.Add), membersNamed-len(first.Remove))]
	return changedMembers(tx, sync, &first)
}

// changedMembers names the people whose memberships an action changes, who leave first.
func changedMembers(tx *state.Tx, sync string, a *plan.Action) []plan.ChangedMember {
	var members []plan.ChangedMember
	for _, id := range a.Remove {
		members = append(members, plan.ChangedMember{SourceID: id, Key: personName(tx, sync, id), Change: "remove"})
	}
	for _, id := range a.Add {
		members = append(members, plan.ChangedMember{SourceID: id, Key: personName(tx, sync, id), Change: "add"})
	}
	return members
}

// membersNamed is how many people a plan names of one change of members; a hold has them all.
const membersNamed = 20

// personName is what people call a user: as its account is known, or else the directory has it.
func personName(tx *state.Tx, sync string, id graphsync.ID) string {
	link, linked, err := tx.Links(sync).Get(graphsync.User, id)
	if err == nil && linked && link.Key != "" {
		return link.Key
	}
	object, _ := tx.Objects().Get(graphsync.User, id)
	object.ID = id
	return desired.KeyOf(&object, nil)
}
