package reconcile

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A removals cycle takes access away soon, and gives it back: between two cycles on schedule it reads what
// changed about users and groups, and deactivates, deletes and reactivates accounts and removes members. What
// creates or changes anything else stays pending for the cycle on schedule. Guards, holds and approvals are those of
// every cycle.

// errNothingDue ends a removals cycle early: there is nothing to do that it may do.
var errNothingDue = errors.New("nothing is due for a removals cycle")

// A removalsGate decides whether a removals cycle runs, and how far.
type removalsGate struct {
	sync     *Sync
	opts     Options
	now      time.Time
	tenant   *state.Tenant
	findings *findings
	plans    *plan.Store
	ledger   *ledger
}

// admit ends a removals cycle of a sync that needs another cycle first, and notes why.
func (g *removalsGate) admit(context.Context) error {
	if !g.opts.Removals {
		return nil
	}
	g.findings.kind = RemovalsOnly
	return g.tenant.View(func(tx *state.Tx) error {
		info := tx.SyncInfo(g.sync.Name)
		if why := g.needsAnother(&info, tx.Pending(g.sync.Name).Everything()); why != "" {
			g.ledger.note("a removals cycle does nothing now, because %s; run entrasync sync, or wait for the cycle on schedule", why)
			return errNothingDue
		}
		g.findings.lastHold = info.LastHold
		return nil
	})
}

// needsAnother says why a sync needs another cycle before one that only removes, "" when it does not.
func (g *removalsGate) needsAnother(info *state.SyncInfo, everything bool) string {
	switch {
	case info.ConfigHash == "":
		return "the sync has not completed a cycle yet"
	case info.ConfigHash != g.sync.Hash():
		return "the configuration has changed since the last complete cycle"
	case info.Moving, !info.Location.Same(g.sync.location()):
		return "the target is another application than in the last complete cycle"
	case info.Quarantine != nil:
		return "the sync is in quarantine"
	case everything:
		return "all users are to be evaluated again"
	}
	return ""
}

// checkPending ends a removals cycle when no page and no earlier cycle left anything to look at.
func (g *removalsGate) checkPending(context.Context) error {
	if !g.opts.Removals {
		return nil
	}
	return g.tenant.View(func(tx *state.Tx) error {
		if tx.Pending(g.sync.Name).Everything() { // a list was read again from its beginning
			return errNothingDue
		}
		g.ledger.looked()
		if tx.Pending(g.sync.Name).Count() > 0 {
			return nil
		}
		for range tx.Intents(g.sync.Name).All() {
			return nil
		}
		for retry := range tx.Retries(g.sync.Name).All() {
			if due(&retry, g.now) {
				return nil
			}
		}
		if g.sync.dated() {
			if keys, _, err := dueTimesOf(tx, g.sync.Name).reached(g.now, nil, 1); err != nil || len(keys) > 0 {
				return err
			}
		}
		return errNothingDue
	})
}

// postpone takes what a removals cycle leaves to the schedule out of the plan, and keeps it pending. What the
// last plan held, or was decided about, stays: holds and decisions are kept by what a plan contains.
func (g *removalsGate) postpone(ctx context.Context) error {
	if !g.opts.Removals {
		return nil
	}
	return g.plans.Entries(ctx, plan.ActionSpace, func(tx *state.Tx, key, raw []byte) error {
		op := plan.OpOf(raw)
		if takesOrReturnsAccess(op) || tx.Space(g.sync.Name, g.opts.heldSpace()).Has(key) || guard.DecisionsIn(tx, g.sync.Name).Has(key) {
			return nil
		}
		k, err := plan.ParseKey(key)
		if err != nil {
			return err
		}
		pending := k.PendingKey()
		g.ledger.planned(pending.Kind, op, -1)
		if err := plan.In(tx, g.sync.Name).Delete(key); err != nil || !g.opts.Apply {
			return err
		}
		return requeue(tx, g.sync.Name, pending)
	})
}

// takesOrReturnsAccess reports whether a removals cycle carries an operation out. Members are planned later, and
// only those who leave.
func takesOrReturnsAccess(op plan.Op) bool {
	return op.Removes() || op == plan.Reactivate || op == plan.Unlink || op == plan.Members
}

// What removals cycles take away counts together with what the next cycles would, up to and with the next cycle on
// schedule: many small cycles must not pass a guard that one cycle would not. Accounts are in [state.SyncInfo].

// membersRemovedSpace counts members by group, as a varint.
const membersRemovedSpace = "members-removed"

// rememberMembersRemoved adds members whom a removals cycle removed from a group without an approval.
func rememberMembersRemoved(tx *state.Tx, sync string, group graphsync.ID, n int) error {
	if n == 0 {
		return nil
	}
	space := tx.Space(sync, membersRemovedSpace)
	before, _ := binary.Uvarint(space.Get(group[:]))
	return space.Put(group[:], binary.AppendUvarint(nil, before+uint64(n)))
}

// membersRemovedBefore returns those members by group.
func membersRemovedBefore(tx *state.Tx, sync string) map[graphsync.ID]int {
	removed := map[graphsync.ID]int{}
	for group, raw := range tx.Space(sync, membersRemovedSpace).All(nil) {
		n, _ := binary.Uvarint(raw)
		removed[graphsync.ID(group)] = int(n)
	}
	return removed
}
