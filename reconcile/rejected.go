package reconcile

import (
	"fmt"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
)

// What a person rejected is still due: a removal that is rejected leaves an account active whose
// person has no right to it. It is therefore kept and counted until it is no longer due, the
// rejection ends, or it is taken back.

// ended notes that a rejection no longer lasts.
func (r *reviewer) ended(d *guard.Decision) {
	no := plan.Rejection{Decision: d.Decision}
	r.ledger.note("the rejection of hold %s%s has ended: it is asked about again", d.Hold, no.Words())
}

// decide applies what a person decided to an action that is due. done reports that nothing more
// is to be reviewed about it.
func (r *reviewer) decide(planned plan.Actions, key []byte, a *plan.StoredAction) (done bool, err error) {
	given := guard.DecisionsIn(r.tx, r.sync.Name)
	d := given.At(key)
	if d == nil {
		return false, nil
	}
	r.used[string(key)] = true
	lapse := d.Lapse(a)
	switch {
	case d.Expired(r.now, r.sync.Guard.Rejections):
		r.ended(d)
		r.holdAgain(d, a)
		return false, r.drop(given, key)
	case d.Verdict == guard.Approved && lapse == "":
		a.Held, a.Approved = nil, true
		return true, planned.Put(key, a)
	case d.Verdict == guard.Rejected && lapse == "":
		return true, r.reject(planned, key, a, d)
	case d.Verdict == guard.Approved && a.Op == plan.Create && d.Action.Op == plan.Adopt: // there is nothing left to take over
	case d.Verdict == guard.Approved: // it is asked about again, whether or not a guard would hold it now
		r.lapse(d, a, lapse)
		r.holdAgain(d, a)
	}
	return false, r.drop(given, key)
}

// wasRejected reports whether a person rejected an action, or all there is of a change of members.
func wasRejected(given guard.Decisions, key []byte, a *plan.StoredAction, now time.Time, last time.Duration) bool {
	if a.Op == plan.Members {
		if len(a.Remove) == 0 {
			return false
		}
		about := given.Leaving(a.SourceID)
		a.Remove = slices.DeleteFunc(slices.Clone(a.Remove), func(id graphsync.ID) bool {
			d, ok := about[id]
			return ok && d.Decision.Verdict == guard.Rejected && !d.Decision.Expired(now, last)
		})
		return false
	}
	d := given.At(key)
	return d != nil && d.Verdict == guard.Rejected && d.Lapse(a) == "" && !d.Expired(now, last)
}

// holdAgain has an action held about which a person once decided, whether or not it is still more
// than a guard lets pass.
func (r *reviewer) holdAgain(d *guard.Decision, a *plan.StoredAction) {
	guard, cause := r.evaluate(a)
	if guard == "" {
		guard, cause = d.Guard, d.Cause
	}
	if guard != "" {
		a.Held = &plan.StoredHold{Guard: guard, Cause: cause}
	}
}

// drop forgets a decision that is void. A dry run leaves it to the next cycle.
func (r *reviewer) drop(given guard.Decisions, key []byte) error {
	if !r.opts.Apply {
		return nil
	}
	return given.Delete(key)
}

// reject takes an action out of the plan that a person rejected, and keeps it as rejected.
func (r *reviewer) reject(planned plan.Actions, key []byte, a *plan.StoredAction, d *guard.Decision) error {
	r.ledger.rejected(a.Kind, a.Op, seatChange(r.tx, r.sync.Name, a))
	if err := r.keepRejected(key, a, d); err != nil {
		return err
	}
	return planned.Delete(key)
}

func (r *reviewer) keepRejected(key []byte, a *plan.StoredAction, d *guard.Decision) error {
	kept := *a
	kept.Rejected = &plan.Rejection{Decision: d.Decision, Hold: d.Hold}
	if kept.Held == nil || d.Guard != "" {
		kept.Held = &plan.StoredHold{Guard: d.Guard, Cause: d.Cause}
	}
	return r.tx.Space(r.sync.Name, r.opts.rejectedSpace()).Put(key, plan.EncodeAction(&kept))
}

// countRejected counts all that was rejected and is due, also what this cycle did not look at.
func (r *reviewer) countRejected() error {
	for raw, stored := range r.tx.Space(r.sync.Name, r.opts.rejectedSpace()).All(nil) {
		key, err := plan.ParseKey(raw)
		if err != nil {
			return err
		}
		r.ledger.due(key.PendingKey().Kind, plan.OpOf(stored))
	}
	return nil
}

// lapse notes that an approval no longer fits what it was given for.
func (r *reviewer) lapse(d *guard.Decision, a *plan.StoredAction, why string) {
	note := fmt.Sprintf("the approval of %s no longer fits", a.Key)
	if d.Hold != "" {
		note = fmt.Sprintf("the approval of hold %s no longer fits %s %s %s", d.Hold, a.Op, a.Kind, a.Key)
	}
	r.ledger.note("%s: %s; it is held again", note, why)
}

// decideLeaving applies what a person decided about people who leave a group. Those who may leave
// and those who may not are taken out of the action; what is left of it is reviewed as usual.
// done reports that nothing is left.
func (r *reviewer) decideLeaving(planned plan.Actions, key []byte, a *plan.StoredAction) (done bool, err error) {
	given := r.leavingOf(a.SourceID)
	if len(given) == 0 || len(a.Remove) == 0 {
		return false, nil
	}
	passed, refused := *a, map[string]*plan.StoredAction{}
	passed.Add, passed.Remove = nil, nil
	rest := *a
	rest.Remove = nil
	about := map[string]*guard.Decision{}
	for _, member := range a.Remove {
		d, ok := given[member]
		switch {
		case !ok:
			rest.Remove = append(rest.Remove, member)
		case d.Decision.Expired(r.now, r.sync.Guard.Rejections):
			rest.Remove = append(rest.Remove, member)
			r.ended(d.Decision)
			r.holdAgain(d.Decision, &rest)
		case d.Decision.Verdict == guard.Approved:
			passed.Remove = append(passed.Remove, member)
			r.used[string(d.Key)] = true
		default:
			of := refused[string(d.Key)]
			if of == nil {
				of = &plan.StoredAction{Action: a.Action}
				of.Add, of.Remove = nil, nil
				refused[string(d.Key)], about[string(d.Key)] = of, d.Decision
			}
			of.Remove = append(of.Remove, member)
			r.used[string(d.Key)] = true
		}
	}
	if len(rest.Remove) == len(a.Remove) {
		a.Held = rest.Held
		return false, nil
	}
	for at, of := range refused {
		of.Why = plan.MembersWhy(nil, of.Remove)
		if err := r.keepRejected([]byte(at), of, about[at]); err != nil {
			return false, err
		}
	}
	if len(passed.Remove) > 0 {
		passed.Held, passed.Approved, passed.Why = nil, true, plan.MembersWhy(nil, passed.Remove)
		at := plan.PartKey(key, plan.ApprovedBit)
		r.made[string(at)] = true
		if err := planned.Put(at, &passed); err != nil {
			return false, err
		}
		r.ledger.planned(graphsync.Group, plan.Members, 1)
	}
	*a = rest
	a.Why = plan.MembersWhy(a.Add, a.Remove)
	if len(a.Add)+len(a.Remove) > 0 {
		return false, planned.Put(key, a)
	}
	r.ledger.planned(graphsync.Group, plan.Members, -1)
	return true, planned.Delete(key)
}

// leavingOf returns what was decided about the members of a group, kept for the parts of a large one.
func (r *reviewer) leavingOf(group graphsync.ID) map[graphsync.ID]guard.MemberDecision {
	if r.facts.decisions == 0 {
		return nil
	}
	if r.group != group || r.leaving == nil {
		r.group, r.leaving = group, guard.DecisionsIn(r.tx, r.sync.Name).Leaving(group)
	}
	return r.leaving
}

// forgetLeaving drops decisions about people who no longer leave their groups, and about accounts
// without a link that are no longer due: each cycle plans all of them.
func (r *reviewer) forgetLeaving() error {
	given := guard.DecisionsIn(r.tx, r.sync.Name)
	var stale [][]byte
	for _, p := range []plan.Phase{plan.LeavePhase, plan.MemberPhase} {
		for key := range given.Prefix([]byte{byte(p)}) {
			k, err := plan.ParseKey(key)
			if err != nil {
				return err
			}
			if !r.used[string(key)] && (p == plan.MemberPhase || k.Part > 0) {
				stale = append(stale, slices.Clone(key))
			}
		}
	}
	for _, key := range stale {
		if err := given.Delete(key); err != nil {
			return err
		}
	}
	return nil
}
