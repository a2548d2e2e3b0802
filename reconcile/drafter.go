package reconcile

import (
	"fmt"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/links"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A drafter plans objects within one transaction.
type drafter struct {
	sync     *Sync
	opts     Options
	now      time.Time
	info     *state.SyncInfo
	ledger   *ledger
	findings *findings
	owners   *ownership.Accounts
	tx       *state.Tx
	eval     *desired.Evaluator
	plan     plan.Actions
	wanted   *wantedValues
	dates    bool // the time changes who is in scope, or did under an earlier configuration
}

// user plans one person.
func (d *drafter) user(id graphsync.ID) error {
	object, known := d.tx.Objects().Get(graphsync.User, id)
	link, linked, _, err := plan.PlannedLink(d.tx, d.sync.Name, graphsync.User, id)
	switch {
	case err != nil:
		return err
	case !known: // never reported by the directory: nothing is concluded
		return d.noteDue(&state.Object{Kind: graphsync.User, ID: id}, false)
	}
	if d.findings.clock {
		if retry, ok := d.tx.Retries(d.sync.Name).Get(state.PendingKey{Kind: graphsync.User, ID: id}); ok && !retry.Skipped && !due(&retry, d.now) {
			return nil // time alone is no reason to try a failed record before its time
		}
	}
	if err := d.markMemberships(id, linked); err != nil {
		return err
	}
	var last *state.Link
	if linked {
		last = &link
	}
	stand := d.eval.Eligibility(&object, last)
	key := desired.KeyOf(&object, last)
	if err := d.noteDue(&object, stand.Assigned != ""); err != nil {
		return err
	}
	if stand.Filtered || stand.Active() {
		if done, err := d.untimely(judgement{filter: d.sync.Scope.Filter, kind: graphsync.User, id: id, key: key, linked: linked, active: linked && link.Active, in: stand.Active()}); done {
			return err
		}
	}
	if stand.Problem != "" {
		return d.skip(graphsync.User, id, key, "filter_invalid", "the scoping filter cannot judge it: "+stand.Problem)
	}
	if stand.InScope && !stand.Enabled && !stand.Disabled {
		return d.skip(graphsync.User, id, key, "source_incomplete", "Graph did not say whether the user is enabled (accountEnabled is absent)")
	}
	if !stand.Active() {
		if !linked {
			return d.opts.records(d.tx, d.sync).clearLost(graphsync.User, id)
		}
		if object.Removed == graphsync.Purged {
			if err := d.offerTransfer(&link); err != nil {
				return err
			}
		}
		return d.remove(&link, &stand, key)
	}
	if linked && link.Active {
		if err := d.opts.records(d.tx, d.sync).forgetOff(id); err != nil {
			return err
		}
	}
	result := d.eval.Evaluate(&object, &stand, d.sync.Users.Mapping, !linked)
	if done, err := d.refused(graphsync.User, id, key, result); done {
		return err
	}
	if result.Key != "" {
		key = result.Key
	}
	if err := d.waits(id, stand.WaitsFor); err != nil {
		return err
	}
	wanted := desired.WantsActive(result.Attributes)
	if linked && wanted && link.Active {
		if err := d.opts.records(d.tx, d.sync).forgetStillActive(id); err != nil {
			return err
		}
	}
	if !linked {
		if !wanted {
			return nil // an inactive person is not created
		}
		if stand.Unconfirmed {
			return d.unconfirmed(graphsync.User, id, key)
		}
		return d.create(graphsync.User, id, key, &stand, result)
	}
	shown := d.asShown(&link)
	changes := desired.AppliedChanges(d.sync.Users.Mapping, result.Attributes, shown.link)
	op := plan.Update
	switch {
	case wanted && !shown.link.Active:
		op = plan.Reactivate
		changes = desired.WithActive(changes, false, true)
	case !wanted && link.Active:
		stand.Why, stand.Cause, stand.Reason = "the mapping of active says false", "mapping of active", desired.Inactive
		if d.findings.untimely != "" && d.sync.Users.Mapping.ReadsClock() {
			return d.skip(graphsync.User, id, key, "clock_differs", stand.Why+", but "+d.findings.untimely)
		}
		return d.remove(&link, &stand, key)
	case !wanted:
		stand.Why, stand.Cause, stand.Reason = "the mapping of active says false", "mapping of active", desired.Inactive
		return d.remains(&link, &stand, key)
	case len(changes) == 0:
		return d.refreshVia(&link, &stand)
	}
	if stand.Unconfirmed {
		return d.unconfirmed(graphsync.User, id, key)
	}
	op, changes, held, err := d.partDrift(&link, shown, op, changes)
	if err != nil {
		return err
	}
	if !d.sync.Users.May(op) {
		return d.skip(graphsync.User, id, key, "action_not_allowed", fmt.Sprintf("%s is not among the actions of the sync", op))
	}
	a := plan.StoredAction{Action: plan.Action{Op: op, Kind: graphsync.User, SourceID: id, TargetID: &link.TargetID, Key: key,
		Changes: changes, Why: stand.Why, Notes: append(stand.Notes, result.Notes...)}, Via: stand.Via}
	if err := d.names().takenNames(&a); err != nil || op == plan.Update && len(a.Changes) == 0 {
		return err
	}
	if a.Held = d.sync.Guard.Claims(a.Changes, result.Attributes, stand.Guest); a.Held == nil {
		a.Held = held
	}
	return d.put(plan.UserPhase, a)
}

// remove plans what the configuration says for a user who has an account and should not.
func (d *drafter) remove(link *state.Link, stand *desired.Eligibility, key string) error {
	op := d.sync.Users.Removal(stand.Reason).Do
	on, again := stillActiveOf(d.tx, d.sync.Name, link)
	switch {
	case again && !link.Active && on.Attempts < offAttempts && op == plan.Deactivate && d.sync.Users.May(op):
		return d.putRemoval(op, link, stand, key, nil) // the second time
	case !link.Active:
		if err := d.removeInactive(link, stand, key); err != nil || !again {
			return err
		}
		return d.nameActive(on, link, stand, key)
	case op == "":
		return nil
	}
	if !again && d.sync.Users.May(op) {
		if err := d.offRecords(stand.Reason).note(link.Source); err != nil {
			return err
		}
	}
	return d.putRemoval(op, link, stand, key, nil)
}

// nameActive names a person whose account is shown as active although it was switched off, unless
// its deletion is due.
func (d *drafter) nameActive(on stillActive, link *state.Link, stand *desired.Eligibility, key string) error {
	if d.plan.Has(plan.Key{Phase: plan.LeavePhase, ID: link.Source}.Bytes()) {
		return nil
	}
	return d.skip(graphsync.User, link.Source, key, string(target.Rejected), stillActiveWhy(on, stand.Why))
}

// unconfirmed leaves an object as it is until the next cycle: the assignments that would give it
// something were missing from Graph's list, and may have been removed.
func (d *drafter) unconfirmed(kind graphsync.Kind, id graphsync.ID, key string) error {
	if d.opts.Apply {
		if err := requeue(d.tx, d.sync.Name, state.PendingKey{Kind: kind, ID: id}); err != nil {
			return err
		}
	}
	return d.skip(kind, id, key, "assignment_unconfirmed", "its assignment to the application was missing from Graph's last list: nothing is granted by it until the next cycle has looked again")
}

// putRemoval stores a removal, when the configuration lets the sync do it.
func (d *drafter) putRemoval(op plan.Op, link *state.Link, stand *desired.Eligibility, key string, hold *plan.StoredHold) error {
	rules := &d.sync.Users
	if !rules.May(op) {
		return d.skip(graphsync.User, link.Source, key, "action_not_allowed", fmt.Sprintf("%s (%s), but %s is not among the actions of the sync", stand.Why, stand.Cause, op))
	}
	_, again := stillActiveOf(d.tx, d.sync.Name, link)
	if again && hold == nil {
		hold = d.heldSwitchedOn(link)
	}
	a := plan.StoredAction{Action: plan.Action{Op: op, Kind: graphsync.User, SourceID: link.Source, TargetID: &link.TargetID, Key: key, Why: stand.Why, Cause: stand.Cause}, Left: stand.Left, Held: hold,
		Again: again && op == plan.Deactivate}
	if op == plan.Deactivate {
		// active alone: a deleted person's other values may be Entra's leftovers, such as a
		// user principal name prefixed with the object id.
		a.Changes = []plan.Change{{Attribute: "active", Old: true, New: false}}
		if rules.Removal(stand.Reason).After > 0 {
			if err := d.keepLater(link.Source); err != nil {
				return err
			}
		}
	}
	return d.put(plan.LeavePhase, a)
}

// remains names a person whose account is off, but shown as active, and who should not have one.
func (d *drafter) remains(link *state.Link, stand *desired.Eligibility, key string) error {
	if _, on := stillActiveOf(d.tx, d.sync.Name, link); !on {
		return nil
	}
	return d.remove(link, stand, key)
}

// keepLater keeps a user pending in each cycle until the account is due for deletion: no change
// of the directory reports that the time has come.
func (d *drafter) keepLater(id graphsync.ID) error {
	if !d.opts.Apply {
		return nil
	}
	return requeue(d.tx, d.sync.Name, state.PendingKey{Kind: graphsync.User, ID: id})
}

// create plans an account for a user who has none, as far as is known before the target is
// asked. Two people with one matching value are both left out: neither is the right one.
func (d *drafter) create(kind graphsync.Kind, id graphsync.ID, key string, stand *desired.Eligibility, result desired.Outcome) error {
	rules := d.sync.rules(kind)
	changes := desired.Planned(rules.Mapping.Changes(result.Attributes, desired.Nothing, true))
	var held *plan.StoredHold
	if kind == graphsync.User {
		held = d.sync.Guard.Claims(changes, result.Attributes, stand.Guest)
		changes = desired.WithActive(changes, nil, true)
		if d.sync.Groups.Enabled && !d.eval.InProvisionedGroup(id) {
			stand.Notes = append(stand.Notes, "in no group that is provisioned: created without any group")
		}
	}
	a := plan.StoredAction{Action: plan.Action{Op: plan.Create, Kind: kind, SourceID: id, Key: key, Changes: changes, Why: stand.Why,
		Notes: append(stand.Notes, result.Notes...)}, Via: stand.Via, Held: held}
	for _, path := range rules.Match {
		value := desired.TextOf(result.Attributes, path)
		if value == "" && strings.EqualFold(path, "externalId") && !rules.Maps(path) {
			value = id.String() // without a mapping, externalId is what Entra calls the object
		}
		a.Match = append(a.Match, value)
		if value == "" {
			continue
		}
		other, err := d.names().claim(kind, id, path, value)
		if err != nil {
			return err
		}
		if other.IsZero() {
			continue
		}
		why, err := d.names().wantedBy(kind, other, path, value)
		if err != nil {
			return err
		}
		if err := d.names().withdraw(kind, other, path, value, id); err != nil {
			return err
		}
		d.leftOut(&a)
		return d.skip(kind, id, key, "duplicate_source", why)
	}
	return d.put(plan.PhaseOf(kind), a)
}

// leftOut notes that an object which is not created still wants the value that is its own id: the plan no longer
// has it.
func (d *drafter) leftOut(a *plan.StoredAction) {
	for i, path := range d.sync.rules(a.Kind).Match {
		if i < len(a.Match) && strings.EqualFold(a.Match[i], a.SourceID.String()) {
			d.wanted.put(wantedKeyOf(a.Kind, path, a.Match[i]), a.SourceID)
		}
	}
}

// refused stores why an object cannot be mapped, if it cannot.
func (d *drafter) refused(kind graphsync.Kind, id graphsync.ID, key string, result desired.Outcome) (bool, error) {
	if p := result.Problem; p != nil {
		return true, d.skip(kind, id, key, p.Code, p.Message)
	}
	if result.IgnoreObject {
		return true, d.skip(kind, id, key, "ignored", "an expression of the mapping says to ignore this object")
	}
	return false, nil
}

// put stores an action. A create that the configuration forbids is stored all the same: the
// account may exist and be adopted; match drops it otherwise.
func (d *drafter) put(p plan.Phase, a plan.StoredAction) error {
	if a.TargetID != nil {
		link, _, err := d.tx.Links(d.sync.Name).Get(a.Kind, a.SourceID)
		if err != nil {
			return err
		}
		owner, lost, err := dropLost(d.owners, d.opts.records(d.tx, d.sync), d.ledger, &link)
		switch {
		case err != nil || lost && a.Op.Removes():
			return err
		case lost:
			return d.skip(a.Kind, a.SourceID, a.Key, "duplicate_target", fmt.Sprintf("its account (%s) is %s by now; %s", *a.TargetID, d.owners.Describe(owner), d.owners.HowToRelease(owner)))
		}
	}
	d.ledger.planned(a.Kind, a.Op, 1)
	return d.plan.Put(plan.Key{Phase: p, ID: a.SourceID}.Bytes(), &a)
}

func (d *drafter) skip(kind graphsync.Kind, id graphsync.ID, key, code, why string) error {
	return d.ledger.skip(d.tx, plan.Skipped{Kind: kind, SourceID: id, Key: key, Code: code, Why: why})
}

// refreshVia keeps the way by which a user is in scope up to date, so that the cause can be named
// when it goes away. It is no change of the account.
func (d *drafter) refreshVia(link *state.Link, stand *desired.Eligibility) error {
	if !d.opts.Apply || link.Via == stand.Via && link.Cause == "" {
		return nil
	}
	link.Via, link.Cause = stand.Via, ""
	return d.tx.Links(d.sync.Name).Put(*link)
}

// offerTransfer notes that the account of a user who was permanently deleted can be given up: when it is
// switched off, and nothing is due to it any more.
func (d *drafter) offerTransfer(link *state.Link) error {
	rules := &d.sync.Users
	removal := rules.Removal(desired.Deleted)
	switch {
	case !d.opts.Apply, removal.Do != plan.Deactivate, removal.After > 0:
		return nil
	case links.In(d.tx, d.sync.Name).Pin(links.Object{Kind: link.Kind, ID: link.Source}) != nil:
		return nil // what is pinned is left alone by other tenants too
	case !link.Active:
		return d.tx.Space(d.sync.Name, transferOfferSpace).Put(link.Source[:], nil)
	case rules.May(plan.Deactivate): // it is looked at again when it is switched off
		return requeue(d.tx, d.sync.Name, state.PendingKey{Kind: graphsync.User, ID: link.Source})
	}
	return nil
}
