package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// Causes of holds by guard identity.
const (
	causeMismatch = "linked accounts are others in the target now"
	causeNamesake = "accounts that may be those of people who left"
)

// resolveMismatches turns what is known of links that do not fit into actions. A few are dropped,
// and their people matched again in the same plan. More than guard.identity allows are held, and
// nothing is done about those people.
func (i *identifier) resolveMismatches(ctx context.Context) error {
	r := resolver{sync: i.sync, opts: i.opts, now: i.now, eval: i.eval, info: i.info, ledger: i.ledger, findings: i.findings, owners: i.owners, lastHolds: i.lastHolds}
	err := i.tenant.View(func(tx *state.Tx) error {
		users, _ := tx.Links(i.sync.Name).Count(graphsync.User)
		groups, _ := tx.Links(i.sync.Name).Count(graphsync.Group)
		r.linked = users + groups
		for _, raw := range tx.Space(i.sync.Name, plan.MismatchSpace).All(nil) {
			var m mismatch
			if err := plan.Decode(raw, &m); err != nil {
				return err
			}
			if !m.Gone {
				r.foreign++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return i.plans.Entries(ctx, plan.MismatchSpace, r.resolve)
}

// A resolver decides about one mismatch after another.
type resolver struct {
	sync            *Sync
	opts            Options
	now             time.Time
	eval            *desired.Evaluator
	info            *state.SyncInfo
	ledger          *ledger
	findings        *findings
	owners          *ownership.Accounts
	lastHolds       *holdHistory
	linked, foreign int // links, and those of them whose accounts are others
}

func (r *resolver) resolve(tx *state.Tx, key, raw []byte) error {
	kind, id := graphsync.Kind(key[0]), graphsync.ID(key[1:])
	var m mismatch
	if err := plan.Decode(raw, &m); err != nil {
		return err
	}
	link, linked, err := tx.Links(r.sync.Name).Get(kind, id)
	if err != nil {
		return err
	}
	if !linked || link.TargetID != m.TargetID {
		return r.opts.records(tx, r.sync).forgetMismatch(kind, id)
	}
	removal, err := r.withdrawPlanned(tx, kind, id)
	if err != nil {
		return err
	}
	if m.Unread { // in this cycle
		m.Unread = false
		return r.opts.records(tx, r.sync).putMismatch(&link, &m)
	}
	drafted := r.findings.all || tx.Space(r.sync.Name, draftedSpace).Has(pendingBytes(state.PendingKey{Kind: kind, ID: id}))
	if !drafted && (r.opts.Subject != nil || m.Successor != nil) {
		return nil // another user is provisioned on demand; or what was decided about a removal stands
	}
	unlink := plan.StoredAction{Action: plan.Action{Op: plan.Unlink, Kind: kind, SourceID: id, TargetID: &m.TargetID, Key: link.Key, Why: m.why(), Cause: causeMismatch}, Gone: m.Gone}
	held, approved := r.held(tx, &unlink, &m)
	switch {
	case held:
		return r.hold(tx, &unlink)
	case removal != nil && m.Successor != nil:
		return r.follow(tx, &link, removal, &unlink, &m)
	}
	unlink.Approved = approved
	return r.detach(tx, &unlink)
}

// held decides whether a link may be dropped without an approval. What was held stays so until
// it is decided.
func (r *resolver) held(tx *state.Tx, unlink *plan.StoredAction, m *mismatch) (held, let bool) {
	if m.Gone {
		return false, false
	}
	key := plan.UnlinkKey(unlink.Kind, unlink.SourceID)
	if d := guard.DecisionsIn(tx, r.sync.Name).At(key); d != nil {
		let = r.decidedOn(tx, key, unlink) == guard.Approved
		return !let, let
	}
	before, _ := r.lastHolds.before(tx, key, unlink)
	return before != "" || r.sync.Guard.Identity.Exceeds(r.foreign, r.linked), false
}

// decidedOn returns what a person decided about an action, as far as it still counts.
func (r *resolver) decidedOn(tx *state.Tx, key []byte, a *plan.StoredAction) guard.Verdict {
	d := guard.DecisionsIn(tx, r.sync.Name).At(key)
	if d == nil || d.Lapse(a) != "" || d.Expired(r.now, r.sync.Guard.Rejections) {
		return guard.Undecided
	}
	return d.Verdict
}

func (r *resolver) hold(tx *state.Tx, unlink *plan.StoredAction) error {
	unlink.Held = guard.Hold(guard.Identity, causeMismatch)
	r.ledger.planned(unlink.Kind, plan.Unlink, 1)
	return plan.In(tx, r.sync.Name).Put(plan.UnlinkKey(unlink.Kind, unlink.SourceID), unlink)
}

// detach plans to drop a link, and its object as if it had none.
func (r *resolver) detach(tx *state.Tx, unlink *plan.StoredAction) error {
	kind, id := unlink.Kind, unlink.SourceID
	d := drafter{sync: r.sync, opts: r.opts, now: r.now, info: r.info, ledger: r.ledger, findings: r.findings, owners: r.owners, tx: tx, eval: r.eval.In(tx), plan: plan.In(tx, r.sync.Name), wanted: &wantedValues{}}
	if object, known := tx.Objects().Get(graphsync.User, id); kind == graphsync.User && known && d.eval.Eligibility(&object, nil).Unconfirmed {
		// The user may have left, and then an account under another id is to be removed too: the link
		// is what tells.
		return d.unconfirmed(kind, id, unlink.Key)
	}
	if err := tx.Space(r.sync.Name, plan.DetachedSpace).Put(plan.LinkKey(kind, id), nil); err != nil {
		return err
	}
	if unlink.Gone {
		if err := r.opts.records(tx, r.sync).rememberLost(kind, id); err != nil {
			return err
		}
		r.ledger.note("the account of %s (%s) was deleted in the target", unlink.Key, *unlink.TargetID)
	} else {
		r.ledger.planned(unlink.Kind, plan.Unlink, 1)
	}
	if err := d.plan.Put(plan.UnlinkKey(kind, id), unlink); err != nil {
		return err
	}
	draft := d.user
	if kind == graphsync.Group {
		draft = d.group
	}
	if err := draft(id); err != nil {
		return err
	}
	return d.wanted.store(tx, r.sync.Name, slices.Collect(maps.Keys(d.wanted.recent)))
}

// follow plans the removal of the account that a leaver has under another id. One that
// is not proven to be theirs waits for an answer.
func (r *resolver) follow(tx *state.Tx, link *state.Link, removal, unlink *plan.StoredAction, m *mismatch) error {
	next := m.Successor
	if err := r.withdrawOrphan(tx, link.Source, next.TargetID); err != nil {
		return err
	}
	removal.TargetID = &next.TargetID
	removal.Seen = true
	removal.Notes = append(removal.Notes, fmt.Sprintf("%s; account %s has %s", m.why(), next.TargetID, next.Shown))
	key := plan.Key{Phase: plan.LeavePhase, ID: link.Source}.Bytes()
	if !next.Sure {
		if r.decidedOn(tx, key, removal) != guard.Approved {
			removal.Held = guard.Hold(guard.Identity, causeNamesake)
		}
	}
	planned := plan.In(tx, r.sync.Name)
	r.ledger.planned(removal.Kind, removal.Op, 1)
	if err := planned.Put(key, removal); err != nil || removal.Held != nil {
		return err
	}
	r.ledger.note("the account of %s is %s now: %s", link.Key, next.TargetID, m.why())
	unlink.MovesTo, unlink.Approved = next.TargetID, !next.Sure
	return planned.Put(plan.UnlinkKey(link.Kind, link.Source), unlink)
}

// withdrawOrphan takes the removal of an account out of the plan that was planned because it had no
// link: it is that of the linked account now.
func (r *resolver) withdrawOrphan(tx *state.Tx, id graphsync.ID, account string) error {
	planned := plan.In(tx, r.sync.Name)
	for key, raw := range planned.Below(append([]byte{byte(plan.LeavePhase)}, id[:]...)) {
		a, err := plan.DecodeAction(raw)
		if err != nil {
			return err
		}
		if a.Orphan && *a.TargetID == account {
			r.ledger.planned(a.Kind, a.Op, -1)
			return planned.Delete(slices.Clone(key))
		}
	}
	return nil
}

// withdrawPlanned takes what is planned for an object out of the plan, and returns the removal of
// an account that was among it.
func (r *resolver) withdrawPlanned(tx *state.Tx, kind graphsync.Kind, id graphsync.ID) (removal *plan.StoredAction, err error) {
	planned := plan.In(tx, r.sync.Name)
	for _, p := range []plan.Phase{plan.LeavePhase, plan.PhaseOf(kind)} {
		if kind == graphsync.Group && p == plan.LeavePhase {
			continue
		}
		key := plan.Key{Phase: p, ID: id}.Bytes()
		a, err := planned.Get(key)
		if err != nil {
			return nil, err
		}
		if a == nil {
			continue
		}
		if kind == graphsync.User && a.Op.Removes() {
			removal = a
		}
		r.ledger.planned(a.Kind, a.Op, -1)
		if err := planned.Delete(key); err != nil {
			return nil, err
		}
	}
	return removal, nil
}
