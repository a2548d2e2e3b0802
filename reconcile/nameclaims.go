package reconcile

import (
	"fmt"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// freeNameCause groups the holds of guard former_name.
const freeNameCause = "names of accounts that are switched off are wanted by others"

// holderOf returns another user whose account has a value that must be unique.
func holderOf(links state.Links, path, value string, but graphsync.ID) (link state.Link, found bool, err error) {
	for _, other := range links.SourcesByKey(graphsync.User, desired.MatchKey(path, value)) {
		if other == but {
			continue
		}
		if link, found, err = links.Get(graphsync.User, other); err != nil || found {
			return link, found, err
		}
	}
	return link, false, nil
}

// nameClaims decide who gets a value that must be unique, such as a user name, while the plan is drafted.
type nameClaims struct{ drafter *drafter }

// names decide who gets a value that must be unique.
func (d *drafter) names() nameClaims { return nameClaims{d} }

// freeName plans, held, that an account that is switched off gives up a name that another user
// needs: it takes the name its user has now, or a marked one when the user was deleted.
func (n nameClaims) freeName(link *state.Link, path, value string) (offered bool, err error) {
	object, known := n.drafter.tx.Objects().Get(graphsync.User, link.Source)
	if link.Active || !known || !n.drafter.sync.Users.May(plan.Update) {
		return false, nil
	}
	stand := n.drafter.eval.Eligibility(&object, link)
	if stand.Active() || stand.Problem != "" {
		return false, nil
	}
	name := ""
	if object.Removed == graphsync.NotRemoved {
		name = desired.TextOf(n.drafter.eval.Evaluate(&object, &stand, n.drafter.sync.Users.Mapping, false).Attributes, path)
	}
	if name == "" || strings.EqualFold(name, value) {
		name = temporaryName(value, "former", link.Source)
	}
	a := plan.StoredAction{Action: plan.Action{Op: plan.Update, Kind: graphsync.User, SourceID: link.Source, TargetID: &link.TargetID, Key: link.Key,
		Changes: []plan.Change{{Attribute: path, Old: value, New: name}}, Why: "another user has its " + path + " now: " + describeUser(&object, link)},
		Via: link.Via, Literal: true, Held: guard.Hold(guard.FormerName, freeNameCause)}
	key := plan.Key{Phase: plan.UserPhase, ID: link.Source, Part: 1}.Bytes()
	if n.drafter.plan.Has(key) {
		return true, nil
	}
	n.drafter.ledger.planned(graphsync.User, plan.Update, 1)
	return true, n.drafter.plan.Put(key, &a)
}

// takenNames takes names out of a change of an account that others still have. An account that is
// switched off is offered to give up its name; the other changes are written meanwhile.
func (n nameClaims) takenNames(a *plan.StoredAction) error {
	for _, r := range n.drafter.sync.Users.Renames(a) {
		link, found, err := holderOf(n.drafter.tx.Links(n.drafter.sync.Name), r.Path, r.New, a.SourceID)
		if err != nil {
			return err
		}
		if !found || link.Active {
			continue // an active one may be renamed in this plan; the application has the last word
		}
		offered, err := n.freeName(&link, r.Path, r.New)
		if err != nil || !offered {
			return err
		}
		a.Changes = withoutChange(a.Changes, r.Path)
		object, _ := n.drafter.tx.Objects().Get(graphsync.User, link.Source)
		why := fmt.Sprintf("%s %q is still that of %s; approve the hold of guard former_name to free it", r.Path, r.New, describeUser(&object, &link))
		if err := n.drafter.skip(graphsync.User, a.SourceID, a.Key, "duplicate_source", why); err != nil {
			return err
		}
	}
	return nil
}

func withoutChange(changes []plan.Change, path string) []plan.Change {
	out := changes[:0:0]
	for _, change := range changes {
		if !strings.EqualFold(change.Attribute, path) {
			out = append(out, change)
		}
	}
	return out
}

// claim notes that a new object wants a matching value and returns who else does: a new one of
// this plan, or one that has an account already.
func (n nameClaims) claim(kind graphsync.Kind, id graphsync.ID, path, value string) (graphsync.ID, error) {
	key := wantedKeyOf(kind, path, value)
	if other, known := n.drafter.wanted.owner(n.drafter.tx, n.drafter.sync.Name, key); known && other != id {
		return other, nil
	}
	other, known, err := wantedByID(n.drafter.plan, kind, n.drafter.sync.rules(kind).Match, path, value)
	if err != nil {
		return graphsync.ID{}, err
	}
	if known && other != id {
		n.drafter.wanted.put(key, other) // also for others, when the plan no longer has it
		return other, nil
	}
	for _, other := range n.drafter.tx.Links(n.drafter.sync.Name).SourcesByKey(kind, desired.MatchKey(path, value)) {
		if other == id {
			continue
		}
		if former, err := n.isFormer(kind, other); err != nil || !former {
			return other, err
		}
	}
	if !strings.EqualFold(value, id.String()) {
		n.drafter.wanted.put(key, id)
	}
	return graphsync.ID{}, nil
}

// wantedBy says who else wants, or has, a matching value. An account that is switched off is offered
// to give it up.
func (n nameClaims) wantedBy(kind graphsync.Kind, other graphsync.ID, path, value string) (string, error) {
	object, known := n.drafter.tx.Objects().Get(kind, other)
	link, linked, err := n.drafter.tx.Links(n.drafter.sync.Name).Get(kind, other)
	if err != nil || !known || !linked {
		return fmt.Sprintf("%s %q is also wanted by %s %s", path, value, kind, other), err
	}
	why := fmt.Sprintf("%s %q is still that of %s", path, value, describeUser(&object, &link))
	if name := n.nextName(&object, &link, path); name != "" && !strings.EqualFold(name, value) {
		return fmt.Sprintf("%s; that one becomes %q in this cycle, and the next one makes the new %s", why, name, resourceWord(kind)), nil
	}
	if kind != graphsync.User {
		return why, nil
	}
	offered, err := n.freeName(&link, path, value)
	switch {
	case offered:
		why += "; approve the hold of guard former_name to free it"
	case link.Active && object.Removed != graphsync.NotRemoved:
		why += "; when it is switched off, the next cycle offers to take it over"
	}
	return why, err
}

// nextName is the matching value that an object in scope gives its account or group now, "" when the
// sync does not change it.
func (n nameClaims) nextName(object *state.Object, link *state.Link, path string) string {
	rules, stand := n.drafter.sync.rules(object.Kind), desired.Eligibility{Known: true, Enabled: true}
	if object.Kind == graphsync.Group {
		_, stand.InScope, stand.Problem = n.drafter.eval.GroupInScope(object)
	} else {
		stand = n.drafter.eval.Eligibility(object, link)
	}
	if object.Removed != graphsync.NotRemoved || !rules.May(plan.Update) || !stand.Active() || stand.Problem != "" {
		return ""
	}
	result := n.drafter.eval.Evaluate(object, &stand, rules.Mapping, false)
	if result.Problem != nil || result.IgnoreObject {
		return ""
	}
	return desired.TextOf(result.Attributes, path)
}

// isFormer reports whether an object is gone from the directory and its account is switched off:
// it wants nothing any more.
func (n nameClaims) isFormer(kind graphsync.Kind, id graphsync.ID) (bool, error) {
	object, known := n.drafter.tx.Objects().Get(kind, id)
	link, linked, _, err := plan.PlannedLink(n.drafter.tx, n.drafter.sync.Name, kind, id)
	return linked && !link.Active && known && object.Removed != graphsync.NotRemoved, err
}

// withdraw takes back the provisional create of the other of two that want one value.
func (n nameClaims) withdraw(kind graphsync.Kind, other graphsync.ID, path, value string, id graphsync.ID) error {
	key := plan.Key{Phase: plan.PhaseOf(kind), ID: other}.Bytes()
	a, err := n.drafter.plan.Get(key)
	if a == nil || a.Op != plan.Create {
		return err
	}
	if err := n.drafter.plan.Delete(key); err != nil {
		return err
	}
	n.drafter.leftOut(a)
	n.drafter.ledger.planned(kind, plan.Create, -1)
	return n.drafter.skip(kind, other, a.Key, "duplicate_source", fmt.Sprintf("%s %q is also wanted by %s %s", path, value, kind, id))
}
