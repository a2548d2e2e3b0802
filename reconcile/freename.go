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

// freeName plans, held, that an account that is switched off gives up a name that another user
// needs: it takes the name its user has now, or a marked one when the user was deleted.
func (d *drafter) freeName(link *state.Link, path, value string) (offered bool, err error) {
	object, known := d.tx.Objects().Get(graphsync.User, link.Source)
	if link.Active || !known || !d.sync.Users.May(plan.Update) {
		return false, nil
	}
	stand := d.eval.Eligibility(&object, link)
	if stand.Active() || stand.Problem != "" {
		return false, nil
	}
	name := ""
	if object.Removed == graphsync.NotRemoved {
		name = desired.TextOf(d.eval.Evaluate(&object, &stand, d.sync.Users.Mapping, false).Attributes, path)
	}
	if name == "" || strings.EqualFold(name, value) {
		name = temporaryName(value, "former", link.Source)
	}
	a := plan.StoredAction{Action: plan.Action{Op: plan.Update, Kind: graphsync.User, SourceID: link.Source, TargetID: &link.TargetID, Key: link.Key,
		Changes: []plan.Change{{Attribute: path, Old: value, New: name}}, Why: "another user has its " + path + " now: " + describeUser(&object, link)},
		Via: link.Via, Literal: true, Held: guard.Hold(guard.FormerName, freeNameCause)}
	key := plan.Key{Phase: plan.UserPhase, ID: link.Source, Part: 1}.Bytes()
	if d.plan.Has(key) {
		return true, nil
	}
	d.ledger.planned(graphsync.User, plan.Update, 1)
	return true, d.plan.Put(key, &a)
}

// takenNames takes names out of a change of an account that others still have. An account that is
// switched off is offered to give up its name; the other changes are written meanwhile.
func (d *drafter) takenNames(a *plan.StoredAction) error {
	for _, r := range d.sync.Users.Renames(a) {
		link, found, err := holderOf(d.tx.Links(d.sync.Name), r.Path, r.New, a.SourceID)
		if err != nil {
			return err
		}
		if !found || link.Active {
			continue // an active one may be renamed in this plan; the application has the last word
		}
		offered, err := d.freeName(&link, r.Path, r.New)
		if err != nil || !offered {
			return err
		}
		a.Changes = withoutChange(a.Changes, r.Path)
		object, _ := d.tx.Objects().Get(graphsync.User, link.Source)
		why := fmt.Sprintf("%s %q is still that of %s; approve the hold of guard former_name to free it", r.Path, r.New, describeUser(&object, &link))
		if err := d.skip(graphsync.User, a.SourceID, a.Key, "duplicate_source", why); err != nil {
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
