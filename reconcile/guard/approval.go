package guard

import (
	"cmp"
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// Approve lets the actions of a hold pass with the next cycle, as long as they remove and take
// over nothing else than what was shown. A hold that was rejected is approved in the same way,
// which takes the rejection back. It returns how many actions there are.
func Approve(tx *state.Tx, sync, hold string, by plan.Decision) (int, error) {
	return decideHold(tx, sync, hold, Approved, by)
}

// Reject drops the actions of a hold: they are not done, and counted as rejected, until their
// source changes, the rejection expires or is taken back with [Approve].
func Reject(tx *state.Tx, sync, hold string, by plan.Decision) (int, error) {
	return decideHold(tx, sync, hold, Rejected, by)
}

func decideHold(tx *state.Tx, sync, id string, what Verdict, by plan.Decision) (int, error) {
	space := plan.HeldSpace
	if _, held := tx.Holds(sync).Get(id); !held {
		space = plan.RejectedSpace
	}
	var keys [][]byte
	var actions []plan.StoredAction
	for key, raw := range tx.Space(sync, space).All(nil) {
		a, err := plan.DecodeAction(raw)
		if err != nil {
			return 0, err
		}
		if belongsTo(tx, sync, id, &a) {
			keys, actions = append(keys, slices.Clone(key)), append(actions, a)
		}
	}
	switch {
	case len(keys) == 0 && space == plan.RejectedSpace:
		return 0, fmt.Errorf("there is no such hold")
	case len(keys) == 0:
		return 0, fmt.Errorf("it holds nothing any more")
	}
	entries := make([]state.AuditEntry, len(keys))
	for i, key := range keys {
		entries[i] = auditEntry(sync, id, &actions[i], what, by)
		if err := decide(tx, sync, id, key, &actions[i], what, by); err != nil {
			return 0, err
		}
	}
	if err := tx.Audit().Append(entries...); err != nil {
		return 0, err
	}
	return len(keys), tx.Holds(sync).Delete(id)
}

// auditEntry reports a decision about one action.
func auditEntry(sync, hold string, a *plan.StoredAction, what Verdict, by plan.Decision) state.AuditEntry {
	event, result := "approve", "approved"
	if what == Rejected {
		event, result = "reject", "rejected"
	}
	entry := state.AuditEntry{At: by.At, Event: event, Result: result, Sync: sync,
		Actor:   state.Actor{Kind: cmp.Or(by.Via, state.ActorCommand), Name: by.By},
		Objects: slices.Concat([]graphsync.ID{a.SourceID}, a.Add, a.Remove)}
	about := struct {
		Hold     string `json:"hold"`
		Guard    string `json:"guard"`
		Reason   string `json:"reason,omitempty"`
		Withdrew bool   `json:"withdrew_rejection,omitempty"` // the actions had been rejected before
		plan.Action
	}{Hold: hold, Reason: by.Reason, Withdrew: a.Rejected != nil && what == Approved, Action: a.Action}
	if a.Held != nil {
		about.Guard, about.Cause = a.Held.Guard, a.Held.Cause
	}
	entry.About = plan.Encode(&about)
	return entry
}

// belongsTo reports whether a held or rejected action is one of a hold.
func belongsTo(tx *state.Tx, sync, id string, a *plan.StoredAction) bool {
	if a.Held == nil {
		return false
	}
	if a.Rejected != nil {
		return a.Rejected.Hold == id
	}
	hold, ok := tx.Holds(sync).Get(id)
	return ok && a.Held.Guard == hold.Guard && a.Held.Cause == hold.Cause
}

// decide keeps a decision about one action, and has the action looked at by the next cycle.
func decide(tx *state.Tx, sync, hold string, key []byte, a *plan.StoredAction, what Verdict, by plan.Decision) error {
	d := &Decision{Decision: by, Verdict: what, Hold: hold, Guard: a.Held.Guard, Cause: a.Held.Cause, Action: *a}
	d.Action.Held, d.Action.Rejected = nil, nil
	if err := DecisionsIn(tx, sync).put(key, d); err != nil {
		return err
	}
	if err := tx.Space(sync, plan.HeldSpace).Delete(key); err != nil {
		return err
	}
	refused := tx.Space(sync, plan.RejectedSpace)
	if what == Rejected {
		a.Rejected = &plan.Rejection{Decision: by, Hold: hold}
		return refused.Put(key, plan.EncodeAction(a))
	}
	if err := refused.Delete(key); err != nil {
		return err
	}
	return PendAction(tx, sync, key, a)
}

// PendAction has what an action is about looked at by the next cycle.
func PendAction(tx *state.Tx, sync string, key []byte, a *plan.StoredAction) error {
	k, err := plan.ParseKey(key)
	if err != nil {
		return err
	}
	if k.Phase != plan.MemberPhase {
		return tx.Pending(sync).Add(k.PendingKey())
	}
	for _, member := range slices.Concat(a.Add, a.Remove) {
		if err := tx.Pending(sync).Add(state.Membership(k.ID, member)); err != nil {
			return err
		}
	}
	return nil
}
