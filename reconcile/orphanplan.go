package reconcile

import (
	"context"
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/links"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// orphanCause groups the holds of guard orphaned.
const orphanCause = "accounts without a link whose users have no right to one"

// orphansIn is the space of the orphans that a plan is about.
func (p *planner) orphansIn(tx *state.Tx) *state.Space {
	if !p.opts.Apply && tx.Space(p.sync.Name, foundSpace).Count() > 0 { // a look of this dry run
		return tx.Space(p.sync.Name, foundSpace)
	}
	return tx.Space(p.sync.Name, orphanSpace)
}

// draftOrphans plans what is done about orphans. The removal of one whose user has no right to an
// account is always held. A second account of a user is reported, and so are accounts of users
// whom the directory does not know.
func (p *planner) draftOrphans(ctx context.Context) error {
	var unknown guard.Sample
	var after []byte
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := p.tenant.Update(func(tx *state.Tx) error {
			d := drafter{sync: p.sync, opts: p.opts, now: p.now, info: p.info, ledger: p.ledger, findings: p.findings, owners: p.owners, tx: tx, eval: p.eval.In(tx), plan: plan.In(tx, p.sync.Name)}
			var chunk []orphan
			for key, raw := range p.orphansIn(tx).All(after) {
				var o orphan
				if err := plan.Decode(raw, &o); err != nil {
					return err
				}
				after = slices.Clone(key)
				if chunk = append(chunk, o); len(chunk) == plan.DraftChunk {
					break
				}
			}
			more = len(chunk) == plan.DraftChunk
			for i := range chunk {
				if chunk[i].Unknown {
					unknown.Add(chunk[i].Name)
				} else if err := d.orphan(&chunk[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("plan accounts without a link: %w", err)
		}
	}
	if unknown.N > 0 {
		p.ledger.note("active accounts that carry the object id of a user this directory does not know, and have no link: %s; see entrasync discover %s", unknown.String(), p.sync.Name)
	}
	return nil
}

// orphan plans one.
func (d *drafter) orphan(o *orphan) error {
	object, known := d.tx.Objects().Get(graphsync.User, o.Source)
	link, linked, err := d.tx.Links(d.sync.Name).Get(graphsync.User, o.Source)
	if err != nil {
		return err
	}
	if linked && link.TargetID == o.Account {
		if !d.opts.Apply {
			return nil
		}
		return d.tx.Space(d.sync.Name, orphanSpace).Delete(o.key())
	}
	if links.In(d.tx, d.sync.Name).Broken(links.Object{Kind: graphsync.User, ID: o.Source}, o.Account) != nil {
		return nil // an operator said that it is not this user's, whatever it carries
	}
	stand := desired.Eligibility{Why: "deleted in Entra (restorable)", Reason: desired.Deleted}
	if known {
		stand = d.eval.Eligibility(&object, nil)
	} else if !o.Deleted && o.Former.Source.IsZero() {
		stand.Why, stand.Reason = "the directory does not know this user", ""
	}
	switch {
	case stand.Problem != "" || stand.InScope && !stand.Enabled && !stand.Disabled:
		return nil // it cannot be told
	case stand.Active() && linked:
		return d.skip(graphsync.User, o.Source, desired.KeyOf(&object, &link), "duplicate_account",
			fmt.Sprintf("account %s (%s) carries the externalId of this user too, who has account %s: one of them is to be removed or merged in the application", o.Account, o.Name, link.TargetID))
	case stand.Active() || !o.Active:
		return nil // matching takes care of it, or there is nothing to take away
	}
	return d.orphanRemoval(o, &stand)
}

// orphanRemoval plans what the configuration says for a user who left, held.
func (d *drafter) orphanRemoval(o *orphan, stand *desired.Eligibility) error {
	removal := d.sync.Users.Removal(stand.Reason)
	op := removal.Do
	if op == "" {
		return nil
	}
	if !d.sync.Users.May(op) {
		return d.skip(graphsync.User, o.Source, o.Name, "action_not_allowed",
			fmt.Sprintf("account %s has no link (%s), and %s is not among the actions of the sync", o.Account, stand.Why, op))
	}
	a := plan.StoredAction{Action: plan.Action{Op: op, Kind: graphsync.User, SourceID: o.Source, TargetID: &o.Account, Key: o.Name, Why: stand.Why + "; the account has no link", Cause: orphanCause},
		Orphan: true, External: o.External, FormerOwner: o.Former, Held: guard.Hold(guard.Orphaned, orphanCause)}
	if op == plan.Deactivate {
		if removal.After > 0 {
			if err := d.keepLater(o.Source); err != nil {
				return err
			}
		}
		a.Changes = []plan.Change{{Attribute: "active", Old: true, New: false}}
	}
	key := plan.Key{Phase: plan.LeavePhase, ID: o.Source, Part: 1}
	for d.plan.Has(key.Bytes()) {
		key.Part++
	}
	d.ledger.planned(graphsync.User, op, 1)
	return d.plan.Put(key.Bytes(), &a)
}
