package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A linkBuilder works out what is written for an action and the link that is kept afterwards. It is safe for
// concurrent use.
type linkBuilder struct {
	sync   *Sync
	now    time.Time
	store  *state.Store
	tenant *state.Tenant
	target target.Adapter
	owners *ownership.Accounts
}

// desire works out, from the snapshot as it stands, what one object should be in the
// application. It is for workers: each call has an evaluator of its own.
func (b *linkBuilder) desire(ctx context.Context, kind graphsync.Kind, id graphsync.ID, creating bool) (o desired.Outcome, err error) {
	e := desired.NewEvaluator(b.sync.config(), b.now)
	e.Ask = func(by target.Path, value string) (bool, error) {
		found, err := b.target.Find(ctx, targetKind(kind), by, value)
		return len(found) > 0, err
	}
	err = b.tenant.View(func(tx *state.Tx) error {
		o, err = e.DesireIn(tx, kind, id, creating)
		return err
	})
	return o, err
}

// attributes gives an action's changes as the adapter wants them, with the values that a plan
// does not hold made now, and the form in which they are kept with the link.
func (b *linkBuilder) attributes(ctx context.Context, a *plan.StoredAction, creating bool) ([]target.Attribute, map[string]json.RawMessage, error) {
	if creating {
		if out, applied, complete := plannedValues(a, b.sync.rules(a.Kind).Mapping); complete {
			return out, applied, nil
		}
	}
	var fresh desired.Outcome
	if a.Op != plan.Deactivate && !a.Literal {
		var err error
		if fresh, err = b.desire(ctx, a.Kind, a.SourceID, creating); err != nil {
			return nil, nil, err
		}
	}
	want := make(map[string]*mapping.Desired, len(fresh.Attributes))
	applied := make(map[string]json.RawMessage, len(a.Changes))
	for i := range fresh.Attributes {
		d := &fresh.Attributes[i]
		path := d.Attribute.Path.String()
		want[path] = d
		if a.Op == plan.Adopt && d.Do == mapping.Write && !d.Attribute.OnCreateOnly() {
			applied[path] = desired.Canonical(a.SourceID, d.Attribute, d.Value) // found as desired
		}
	}
	out := make([]target.Attribute, 0, len(a.Changes))
	for _, change := range a.Changes {
		path, err := target.ParsePath(change.Attribute)
		if err != nil {
			return nil, nil, err
		}
		value := change.New
		d := want[change.Attribute]
		if desired.MadeOnApply(value) && (d == nil || d.Do != mapping.Write) {
			continue // what it stood for is not to be had now: the next cycle looks again
		}
		if d != nil && value != nil && d.Do == mapping.Write {
			value = d.Value
			applied[change.Attribute] = desired.Canonical(a.SourceID, d.Attribute, value)
		} else if a.Literal {
			value = plainNumbers(value)
			if applied[change.Attribute] = plan.Encode(value); value != nil {
				if mapped := mappedTo(b.sync.rules(a.Kind), change.Attribute); mapped != nil {
					applied[change.Attribute] = desired.Canonical(a.SourceID, mapped, value)
				}
			}
		} else if value == nil {
			applied[change.Attribute] = json.RawMessage("null")
		} else if strings.EqualFold(change.Attribute, "active") {
			applied[change.Attribute] = plan.Encode(value)
		}
		out = append(out, target.Attribute{Path: path, Value: value, Old: plainNumbers(change.Old)})
	}
	return out, applied, nil
}

// plannedValues gives the values of a create as its plan has them, so that they need not be evaluated again. It is not
// complete when a value is hidden in the plan or made on applying it, or has a form that is not kept as it was.
func plannedValues(a *plan.StoredAction, m *mapping.Mapping) (out []target.Attribute, applied map[string]json.RawMessage, complete bool) {
	out, applied = make([]target.Attribute, 0, len(a.Changes)), make(map[string]json.RawMessage, len(a.Changes))
	for _, change := range a.Changes {
		switch change.New.(type) {
		case string, bool:
		default:
			return nil, nil, false
		}
		i := slices.IndexFunc(m.Attributes(), func(mapped *mapping.Attribute) bool { return mapped.Path.String() == change.Attribute })
		if i < 0 || a.Literal || desired.MadeOnApply(change.New) {
			return nil, nil, false
		}
		mapped := m.Attributes()[i]
		out = append(out, target.Attribute{Path: mapped.Path, Value: change.New, Old: change.Old})
		applied[change.Attribute] = desired.Canonical(a.SourceID, mapped, change.New)
	}
	return out, applied, true
}

// newLink is the link of an account just made or adopted.
func (b *linkBuilder) newLink(a *plan.StoredAction, targetID string, applied map[string]json.RawMessage) *state.Link {
	link := &state.Link{Kind: a.Kind, Source: a.SourceID, TargetID: targetID, Key: a.Key, Active: true, Since: b.now,
		Via: a.Via, Applied: applied, LastOp: string(a.Op), LastAt: b.now}
	rules := b.sync.rules(a.Kind)
	for i, path := range rules.Match {
		if i < len(a.Match) && a.Match[i] != "" {
			link.Keys = append(link.Keys, desired.MatchKey(path, a.Match[i]))
		}
	}
	return link
}

// changedLink is the link of an account after an update.
func (b *linkBuilder) changedLink(a *plan.StoredAction, applied map[string]json.RawMessage) (*state.Link, error) {
	var link state.Link
	err := b.tenant.View(func(tx *state.Tx) (err error) {
		var ok bool
		link, ok, err = tx.Links(b.sync.Name).Get(a.Kind, a.SourceID)
		if err == nil && !ok {
			err = fmt.Errorf("the link of %s %s is gone", a.Kind, a.SourceID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if link.Applied == nil {
		link.Applied = map[string]json.RawMessage{}
	}
	for path, value := range applied {
		if string(value) == "null" {
			delete(link.Applied, path)
		} else {
			link.Applied[path] = value
		}
		var text string
		if json.Unmarshal(value, &text) == nil {
			rekey(b.sync.rules(link.Kind), &link, path, text)
		}
	}
	switch a.Op {
	case plan.Deactivate:
		link.Active, link.InactiveSince, link.Cause = false, b.now, a.Cause
	case plan.Reactivate:
		link.Active, link.InactiveSince, link.Cause = true, time.Time{}, ""
	}
	if a.Op != plan.Deactivate {
		link.Via = a.Via
	}
	link.Key, link.LastOp, link.LastAt = a.Key, string(a.Op), b.now
	return &link, nil
}

// rekey keeps the matching value of a link up to date.
func rekey(rules *desired.Rules, link *state.Link, path, value string) {
	for _, matched := range rules.Match {
		if strings.EqualFold(matched, path) && value != "" {
			link.Keys = slices.DeleteFunc(link.Keys, func(k state.MatchKey) bool { return k.Attribute == matched })
			link.Keys = append(link.Keys, desired.MatchKey(matched, value))
		}
	}
}

// linkOf returns the link of the account that an action is about.
func (b *linkBuilder) linkOf(a *plan.StoredAction) (*state.Link, error) {
	var link state.Link
	err := b.tenant.View(func(tx *state.Tx) (err error) {
		linked := false
		if link, linked, err = tx.Links(b.sync.Name).Get(a.Kind, a.SourceID); err == nil && (!linked || link.TargetID != *a.TargetID) {
			err = identityError(a.Op, a.Kind, "account %s is no longer linked; nothing was written to it", *a.TargetID)
		}
		return err
	})
	return &link, err
}

// knownFor is what a response to an action must fit: the account as linked, or as matched, with
// what the action replaces and writes.
func (b *linkBuilder) knownFor(a *plan.StoredAction, link *state.Link, applied map[string]json.RawMessage) (*desired.Account, error) {
	rules := b.sync.rules(a.Kind)
	if link == nil {
		return desired.AsPlanned(a, rules, applied).WithChanges(a.Changes, nil), nil
	}
	known := desired.KnownAccount(link, rules).WithChanges(a.Changes, applied)
	err := b.tenant.View(func(tx *state.Tx) error {
		for _, key := range formerKeys(tx, b.sync.Name, link) {
			known.May(key.Attribute, key.Value)
		}
		return nil
	})
	return known, err
}

// moveLink takes over the id that an account has from a write of ours on.
func (b *linkBuilder) moveLink(done *result, id string) error {
	link := done.link
	present, err := b.store.Accounts().Claim(b.sync.application(), id, b.owners.Owner(link.Kind, link.Source))
	if err == nil && present != b.owners.Owner(link.Kind, link.Source) {
		done.doubt = present
		err = identityError(done.action.Op, link.Kind, "the target answered that account %s is %s from now on, which is %s", link.TargetID, id, b.owners.Describe(present))
	}
	if err != nil {
		done.link = nil
		return err
	}
	done.notes = append(done.notes, fmt.Sprintf("account %s of %s has the id %s in the target from now on", link.TargetID, link.Key, id))
	done.left, link.TargetID = link.TargetID, id
	return nil
}
