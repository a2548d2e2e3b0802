package reconcile

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/drift"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// The causes of holds for drift: one decision fits what was changed in one way.
const (
	driftValues  = "values were changed in the application"
	driftOff     = "accounts were switched off in the application"
	driftOn      = "accounts were switched on in the application"
	driftMembers = "memberships were changed in the application"
	driftGone    = "accounts are gone from the application"
)

// A shownLink is a link as the application shows its account, as far as differences are to be put right.
type shownLink struct {
	link *state.Link
	held map[string]bool // attributes whose values are put right after an approval
}

// asShown returns a link as the application shows its account, where the configuration says to put that right.
func (d *drafter) asShown(link *state.Link) shownLink {
	if d.sync.Drift == nil {
		return shownLink{link: link}
	}
	record := drift.In(d.tx, d.sync.Name).Get(link)
	if record == nil {
		return shownLink{link: link}
	}
	return overlay(d.sync.Drift, link, record)
}

// overlay puts into a link what its account shows instead of what was applied, for the attributes that are put right. A
// difference from something that was written since is none.
func overlay(policy *drift.Policy, link *state.Link, record *drift.Record) shownLink {
	shown, held := *link, map[string]bool{}
	shown.Applied = maps.Clone(link.Applied)
	for _, d := range record.Differences {
		mode, off := driftMode(policy, link, d.Attribute), link.Kind == graphsync.User && d.Attribute == "active"
		switch {
		case mode == drift.Report, off && !link.Active, !off && !bytes.Equal(link.Applied[d.Attribute], d.Applied):
			continue
		case off:
			if shown.Active = false; shown.Applied["active"] != nil {
				shown.Applied["active"] = json.RawMessage("false")
			}
		case len(d.Shown) == 0 || string(d.Shown) == "null":
			delete(shown.Applied, d.Attribute)
		default:
			shown.Applied[d.Attribute] = d.Shown
		}
		if mode == drift.Hold {
			held[d.Attribute] = true
		}
	}
	return shownLink{&shown, held}
}

// partDrift parts the changes of an account from those that wait for an approval because they put drift right. What
// waits does not hold back what the directory asks for: it is asked about by the next cycle, as changes of its own.
func (d *drafter) partDrift(link *state.Link, shown shownLink, op plan.Op, changes []plan.Change) (plan.Op, []plan.Change, *plan.StoredHold, error) {
	waits := slices.DeleteFunc(slices.Clone(changes), func(c plan.Change) bool { return !shown.held[c.Attribute] })
	switch {
	case len(waits) == 0:
		return op, changes, nil, nil
	case len(waits) == len(changes):
		if op == plan.Reactivate {
			return op, changes, guard.Hold(guard.Drift, driftOff), nil
		}
		return op, changes, guard.Hold(guard.Drift, driftValues), nil
	}
	if op == plan.Reactivate && shown.held["active"] {
		op = plan.Update
	}
	rest := slices.DeleteFunc(slices.Clone(changes), func(c plan.Change) bool { return shown.held[c.Attribute] })
	if !d.opts.Apply {
		return op, rest, nil, nil
	}
	return op, rest, nil, requeue(d.tx, d.sync.Name, state.PendingKey{Kind: link.Kind, ID: link.Source})
}

// heldSwitchedOn holds that an account is switched off again which was switched on in the application, where the
// configuration says so.
func (d *drafter) heldSwitchedOn(link *state.Link) *plan.StoredHold {
	if d.sync.Drift == nil || d.sync.Drift.SwitchedOn() != drift.Hold {
		return nil
	}
	if drift.In(d.tx, d.sync.Name).Get(link).Of("active") == nil {
		return nil
	}
	return guard.Hold(guard.Drift, driftOn)
}

// A Drift is one way in which the application holds something else than what was applied.
type Drift struct {
	Kind       graphsync.Kind  `json:"kind"`
	SourceID   graphsync.ID    `json:"source_id"`
	TargetID   string          `json:"target_id"`
	Key        string          `json:"key"`
	Difference string          `json:"difference"` // attribute, active, missing or membership
	Attribute  string          `json:"attribute,omitempty"`
	Applied    json.RawMessage `json:"applied"` // null: no value
	Shown      json.RawMessage `json:"shown"`
	Member     *DriftMember    `json:"member,omitempty"`
	Since      time.Time       `json:"since"` // of the compare that found it first
	Run        string          `json:"run"`
	Action     drift.Mode      `json:"action"` // what is done about it: report, repair or hold
}

// A DriftMember is the user of a membership.
type DriftMember struct {
	SourceID graphsync.ID `json:"source_id"`
	TargetID string       `json:"target_id"`
	Key      string       `json:"key"`
}

// Drifts yields what the last compare found, as far as nothing has ended it since: users, groups, memberships.
func Drifts(tx *state.Tx, sync *Sync) func(yield func(Drift, error) bool) {
	return func(yield func(Drift, error) bool) {
		seen := drift.In(tx, sync.Name)
		for key, record := range seen.All() {
			link, linked, err := tx.Links(sync.Name).Get(key.Kind, key.ID)
			if err != nil {
				yield(Drift{}, err)
				return
			}
			if !linked || link.TargetID != record.Account {
				continue
			}
			for _, d := range accountDrifts(sync, &link, record) {
				if !yield(d, nil) {
					return
				}
			}
		}
		for key, m := range seen.Members(graphsync.ID{}) {
			if !yield(memberDrift(tx, sync, key, m), nil) {
				return
			}
		}
	}
}

// accountDrifts are the differences of one account.
func accountDrifts(sync *Sync, link *state.Link, record *drift.Record) (out []Drift) {
	of := Drift{Kind: link.Kind, SourceID: link.Source, TargetID: link.TargetID, Key: link.Key}
	if gone := record.Missing; gone != nil {
		of.Difference, of.Since, of.Run, of.Action = "missing", gone.Since, gone.Run, sync.Drift.Gone()
		of.Applied, of.Shown = json.RawMessage("true"), json.RawMessage("false")
		return []Drift{of}
	}
	for _, d := range record.Differences {
		of.Difference, of.Attribute, of.Since, of.Run, of.Action = "attribute", d.Attribute, d.Since, d.Run, driftMode(sync.Drift, link, d.Attribute)
		if link.Kind == graphsync.User && d.Attribute == "active" {
			of.Difference = "active"
		}
		if of.Applied, of.Shown = d.Applied, d.Shown; len(of.Shown) == 0 {
			of.Shown = json.RawMessage("null")
		}
		out = append(out, of)
	}
	return out
}

// memberDrift is the difference of one membership.
func memberDrift(tx *state.Tx, sync *Sync, key state.PendingKey, m drift.Membership) Drift {
	of := Drift{Kind: graphsync.Group, SourceID: key.ID, Difference: "membership", Since: m.Since, Run: m.Run, Action: sync.Drift.Member(),
		Applied: plan.Encode(!m.Shown), Shown: plan.Encode(m.Shown), Member: &DriftMember{SourceID: key.Member, TargetID: m.Account}}
	if link, linked, err := tx.Links(sync.Name).Get(graphsync.Group, key.ID); err == nil && linked {
		of.TargetID, of.Key = link.TargetID, link.Key
	}
	if link, linked, err := tx.Links(sync.Name).Get(graphsync.User, key.Member); err == nil && linked {
		of.Member.Key = link.Key
	}
	return of
}
