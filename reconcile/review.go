package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// window is how far back the guard against a slow trickle of removals looks.
const window = 24 * time.Hour

// A guardReview holds back what a guard does not let pass.
type guardReview struct {
	sync      *Sync
	opts      Options
	now       time.Time
	tenant    *state.Tenant
	info      *state.SyncInfo
	ledger    *ledger
	lastHolds *holdHistory
}

// review holds back what a guard does not let pass without an approval. Guards only hold:
// nothing is added to a plan or changed in it. Held actions are grouped by cause, so that one
// decision fits them, and all other actions are applied. What was held stays so until it is answered or
// no longer due, also when the number that tripped the guard has fallen since.
func (g *guardReview) review(ctx context.Context) error {
	facts, err := g.stats(ctx)
	if err != nil {
		return err
	}
	g.ledger.counts.Seats = Seats{Before: facts.linked, After: facts.linked + facts.seats}
	r := reviewer{sync: g.sync, opts: g.opts, now: g.now, info: g.info, ledger: g.ledger, lastHolds: g.lastHolds, facts: facts, holds: map[string]*state.Hold{}, limits: g.sync.Guard.Text(), used: map[string]bool{}, made: map[string]bool{}}
	var after []byte
	for more := true; more && err == nil; {
		err = g.tenant.Update(func(tx *state.Tx) (err error) {
			r.tx, r.held = tx, tx.Space(g.sync.Name, g.opts.heldSpace())
			after, more, err = r.chunk(after)
			return err
		})
	}
	if err != nil {
		return err
	}
	return g.tenant.Update(func(tx *state.Tx) error {
		r.tx, r.held = tx, tx.Space(g.sync.Name, g.opts.heldSpace())
		if err := r.countRejected(); err != nil {
			return err
		}
		return r.keepHolds()
	})
}

type reviewer struct {
	sync      *Sync
	opts      Options
	now       time.Time
	info      *state.SyncInfo
	ledger    *ledger
	lastHolds *holdHistory
	tx        *state.Tx
	held      *state.Space
	facts     planStats
	limits    string          // of the guard, to tell whether they changed since something was held
	used      map[string]bool // keys of decisions about members who still leave
	made      map[string]bool // keys of actions that this review added to the plan

	group      graphsync.ID // whose leaving is at hand
	leaving    map[graphsync.ID]guard.MemberDecision
	heldOf     graphsync.ID // the group that heldBefore is of
	heldBefore map[graphsync.ID]*plan.StoredHold
	holds      map[string]*state.Hold // by holdKey; Code is the digest of what they hold
}

// chunk reviews the next actions of the plan.
func (r *reviewer) chunk(after []byte) (last []byte, more bool, err error) {
	planned := plan.In(r.tx, r.sync.Name)
	var keys [][]byte
	var actions []plan.StoredAction
	n := 0
	for key, raw := range planned.From(after) {
		if n++; r.concerns(plan.OpOf(raw)) {
			a, err := plan.DecodeAction(raw)
			if err != nil {
				return nil, false, err
			}
			keys, actions = append(keys, slices.Clone(key)), append(actions, a)
		}
		if n == plan.DraftChunk {
			last = slices.Clone(key)
			break
		}
	}
	for i, key := range keys {
		if r.made[string(key)] {
			continue
		}
		review := r.reviewAction
		if actions[i].Op == plan.Members {
			review = r.reviewMembers
		}
		if err := review(planned, key, &actions[i]); err != nil {
			return nil, false, err
		}
	}
	return last, last != nil, nil
}

// reviewAction reviews one action: what a person decided counts first, then the guards, then what was held
// before.
func (r *reviewer) reviewAction(planned plan.Actions, key []byte, a *plan.StoredAction) error {
	if r.opts.Undo == nil { // what was decided is about what the directory asks for
		if done, err := r.decide(planned, key, a); done || err != nil {
			return err
		}
	}
	guard, cause := r.evaluate(a)
	if guard != "" && r.reviewUndo(guard) {
		a.Held, a.Approved = nil, true
		return planned.Put(key, a)
	}
	if guard == "" && a.Op != plan.Members { // who leaves a group is remembered by person
		guard, cause = r.lastHolds.before(r.tx, key, a)
	}
	if guard == "" {
		return nil
	}
	a.Held = &plan.StoredHold{Guard: guard, Cause: cause}
	r.hold(key, a)
	r.ledger.held(a, seatChange(r.tx, r.sync.Name, a))
	if err := r.held.Put(key, plan.EncodeAction(a)); err != nil {
		return err
	}
	return planned.Put(key, a)
}

// concerns reports whether an operation may be held in this plan: the others need not be read.
func (r *reviewer) concerns(op plan.Op) bool {
	switch {
	case r.facts.decisions > 0 || r.facts.heldBefore > 0:
		return true
	case op == plan.Create:
		return r.sync.Guard.Domains != nil || len(r.facts.lost) > 0 || r.sync.Guard.Creations.Exceeds(r.facts.creations, r.facts.linked)
	case op == plan.Reactivate:
		return r.sync.Guard.Domains != nil // it may come with a new address
	}
	return true
}

// hold counts an action for the hold of its guard and cause.
func (r *reviewer) hold(key []byte, a *plan.StoredAction) {
	h := r.holds[guard.HoldKey(a.Held.Guard, a.Held.Cause)]
	if h == nil {
		h = &state.Hold{Guard: a.Held.Guard, Cause: a.Held.Cause, Since: r.now}
		r.holds[guard.HoldKey(h.Guard, h.Cause)] = h
	}
	if h.Count++; len(h.Sample) < guard.SampleSize {
		h.Sample = append(h.Sample, a.Key)
	}
	sum := sha256.Sum256([]byte(h.Code + string(key) + a.Effect()))
	h.Code = hex.EncodeToString(sum[:16])
}

// keepHolds stores the holds of this plan, gives them their names, and drops those whose cause
// went away. A hold that holds something else than it did gets another name, so that no operator
// approves what was not shown; numbers are not used twice.
func (r *reviewer) keepHolds() error {
	r.ledger.report.held, r.ledger.report.holds = r.opts.heldSpace(), map[string]string{}
	if r.opts.partial() {
		return nil
	}
	known := map[string]state.Hold{}
	for hold := range r.tx.Holds(r.sync.Name).All() {
		known[guard.HoldKey(hold.Guard, hold.Cause)] = hold
	}
	info := r.tx.SyncInfo(r.sync.Name)
	for _, key := range slices.Sorted(maps.Keys(r.holds)) {
		hold := r.holds[key]
		before, ok := known[key]
		if ok {
			hold.Since = before.Since
		}
		if hold.ID = before.ID; !ok || before.Code != hold.Code {
			info.LastHold++
			hold.ID = fmt.Sprintf("h-%d", info.LastHold)
		}
		r.ledger.report.holds[key] = hold.ID
		if ok && before.ID != hold.ID {
			if err := r.tx.Holds(r.sync.Name).Delete(before.ID); err != nil {
				return err
			}
		}
		if err := r.tx.Holds(r.sync.Name).Put(*hold); err != nil {
			return err
		}
		delete(known, key)
	}
	for _, hold := range known {
		if err := r.tx.Holds(r.sync.Name).Delete(hold.ID); err != nil {
			return err
		}
	}
	info.Guard = r.limits
	r.info.LastHold, r.info.Guard = info.LastHold, info.Guard
	if err := r.tx.PutSyncInfo(r.sync.Name, info); err != nil {
		return err
	}
	return r.dropReleased()
}

// dropReleased forgets what was held before and is not any more, and decisions about memberships
// that are no longer due.
func (r *reviewer) dropReleased() error {
	plan := plan.In(r.tx, r.sync.Name)
	var released [][]byte
	for key := range r.held.All(nil) {
		if a, err := plan.Get(key); err != nil || a == nil || a.Held == nil {
			released = append(released, slices.Clone(key))
		}
	}
	for _, key := range released {
		if err := r.held.Delete(key); err != nil {
			return err
		}
	}
	if !r.opts.Apply {
		return nil
	}
	return r.forgetLeaving()
}
