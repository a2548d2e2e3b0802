package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
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

// draftOrphans plans what becomes of orphans. The removal of one whose user has no right to an
// account is always held. A second account of a user is reported, and so are accounts of users
// whom the directory does not know.
func (p *planner) draftOrphans(ctx context.Context) error {
	var nobody sample
	var after []byte
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := p.tenant.Update(func(tx *state.Tx) error {
			d := drafter{sync: p.sync, opts: p.opts, now: p.now, info: p.info, ledger: p.ledger, findings: p.findings, owners: p.owners, tx: tx, eval: p.eval.in(tx), plan: tx.Space(p.sync.Name, planSpace)}
			var chunk []orphan
			for key, raw := range p.orphansIn(tx).All(after) {
				var o orphan
				if err := decode(raw, &o); err != nil {
					return err
				}
				after = slices.Clone(key)
				if chunk = append(chunk, o); len(chunk) == draftChunk {
					break
				}
			}
			more = len(chunk) == draftChunk
			for i := range chunk {
				if chunk[i].Nobody {
					nobody.add(chunk[i].Name)
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
	if nobody.n > 0 {
		p.ledger.note("active accounts that carry the object id of a user this directory does not know, and have no link: %s; see entrasync discover %s", nobody.String(), p.sync.Name)
	}
	return nil
}

// orphan plans one.
func (d *drafter) orphan(o *orphan) error {
	object, known := d.tx.Object(graphsync.User, o.Source)
	link, linked, err := d.tx.Link(d.sync.Name, graphsync.User, o.Source)
	if err != nil {
		return err
	}
	if linked && link.TargetID == o.Account {
		if !d.opts.Apply {
			return nil
		}
		return d.tx.Space(d.sync.Name, orphanSpace).Delete(o.key())
	}
	stand := standing{Why: "deleted in Entra (restorable)"}
	if known {
		stand = d.eval.standing(&object, nil)
	} else if !o.Deleted && o.Former.Source.IsZero() {
		stand.Why = "the directory does not know this user"
	}
	switch {
	case stand.Problem != "" || stand.InScope && !stand.Enabled && !stand.Disabled:
		return nil // it cannot be told
	case stand.Active() && linked:
		return d.skip(graphsync.User, o.Source, keyOf(&object, &link), "duplicate_account",
			fmt.Sprintf("account %s (%s) carries the externalId of this user too, who has account %s: one of them is to be removed or merged in the application", o.Account, o.Name, link.TargetID))
	case stand.Active() || !o.Active:
		return nil // matching takes care of it, or there is nothing to take away
	}
	return d.orphanRemoval(o, &stand)
}

// orphanRemoval plans what on_remove says, held.
func (d *drafter) orphanRemoval(o *orphan, stand *standing) error {
	op := d.sync.Users.OnRemove.Do
	if op == "" {
		return nil
	}
	if !d.sync.Users.May(op) {
		return d.skip(graphsync.User, o.Source, o.Name, "action_not_allowed",
			fmt.Sprintf("account %s has no link (%s), and %s is not among the actions of the sync", o.Account, stand.Why, op))
	}
	a := storedAction{Action: Action{Op: op, Kind: graphsync.User, SourceID: o.Source, TargetID: &o.Account, Key: o.Name, Why: stand.Why + "; the account has no link", Cause: orphanCause},
		Orphan: true, External: o.External, FormerOwner: o.Former, Held: &storedHold{Guard: "orphaned", Cause: orphanCause}}
	if op == Deactivate {
		a.Changes = []Change{{Attribute: "active", Old: true, New: false}}
	}
	key := actionKey{phase: leavePhase, id: o.Source, part: 1}
	for d.plan.Has(key.bytes()) {
		key.part++
	}
	d.ledger.planned(op, 1)
	return d.plan.Put(key.bytes(), encodeAction(&a))
}

// removeOrphan carries out an approved removal. The account is read before: it must still be the
// one that was shown.
func (x *executor) removeOrphan(ctx context.Context, a *storedAction, done *result) {
	ref := target.Ref{Kind: target.User, ID: *a.TargetID}
	shown, err := x.shownOrphan(ctx, a, ref)
	if err != nil || shown == nil {
		done.err = err
		return
	}
	if present, err := x.owners.claim(a, ref.ID); err != nil || present != x.owners.owner(a.Kind, a.SourceID) {
		if err == nil {
			err = &target.Error{Code: target.Conflict, Op: string(a.Op) + " user", Message: fmt.Sprintf("account %s is %s by now", ref.ID, x.owners.describe(present))}
		}
		done.err = err
		return
	}
	if a.Op == Delete {
		if done.err = x.target.Delete(ctx, ref); done.err == nil {
			done.err = x.store.Release(x.sync.application(), ref.ID, x.owners.owner(a.Kind, a.SourceID))
			return
		}
		var refusal *target.Error
		if !errors.As(done.err, &refusal) || refusal.Status < 400 || !x.sync.Users.May(Deactivate) {
			return
		}
	}
	if err := x.switchOff(ctx, a, ref, done); err != nil {
		done.err = errors.Join(done.err, err)
	} else if done.err != nil {
		done.off, done.link = done.link, nil
		done.err = fmt.Errorf("%w; the account was switched off instead, and the deletion is tried again", done.err)
	}
}

// shownOrphan reads the account of an orphan's removal; nil when it is gone.
func (x *executor) shownOrphan(ctx context.Context, a *storedAction, ref target.Ref) (*target.Resource, error) {
	getter, ok := x.target.(target.Getter)
	if !ok {
		return nil, &target.Error{Code: target.Unsupported, Op: "read account", Message: "the target cannot show an account, so that nothing is done to one without a link"}
	}
	shown, err := getter.Get(ctx, ref)
	switch {
	case err != nil && target.CodeOf(err) == target.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case textAttribute(shown, "externalId") != a.External || a.External == "" && nameOf(shown) != a.Key:
		return nil, &target.Error{Code: target.Conflict, Op: string(a.Op) + " user", Message: fmt.Sprintf("account %s is not the one that was shown: it is %s by now", ref.ID, nameOf(shown))}
	}
	return shown, nil
}

// switchOff deactivates an account without a link, and links it to its user, when that one is known
// and has no other account.
func (x *executor) switchOff(ctx context.Context, a *storedAction, ref target.Ref, done *result) error {
	path, err := target.ParsePath("active")
	if err != nil {
		return err
	}
	asked := []target.Attribute{{Path: path, Value: false}}
	after, err := x.target.Update(ctx, ref, asked)
	done.remarks, err = remarksOf(err)
	if err == nil && after != nil {
		err = verifyActivity(a, after, asked)
	}
	if err = x.seenOff(ctx, a, ref, after, err, done); err != nil {
		return err
	}
	return x.tenant.View(func(tx *state.Tx) error {
		_, known := tx.Object(a.Kind, a.SourceID)
		_, linked, err := tx.Link(x.sync.Name, a.Kind, a.SourceID)
		if err != nil || !known || linked {
			return err
		}
		done.link = x.links.newLink(&storedAction{Action: a.Action}, ref.ID, map[string]json.RawMessage{"active": encode(false)})
		done.link.Adopted, done.link.Active, done.link.InactiveSince, done.link.Cause = true, false, x.now, a.Cause
		for _, path := range x.sync.Users.Match {
			if path == "externalId" && a.External != "" {
				done.link.Keys = append(done.link.Keys, matchKey(path, a.External))
			}
		}
		return nil
	})
}
