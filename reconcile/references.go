package reconcile

import (
	"context"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// waits notes that a user's manager has no account. The note outlives the cycle: whenever the
// manager gets an account, the reference is planned again.
func (d *drafter) waits(user, manager graphsync.ID) error {
	if manager.IsZero() {
		return nil
	}
	if err := d.tx.Space(d.sync.Name, waitingSpace).Put(membershipKey(manager, user), nil); err != nil {
		return err
	}
	return d.tx.Space(d.sync.Name, managerRefSpace).Put(user[:], manager[:])
}

// draftReferences plans the references of users whose manager gets an account in this very
// plan. They are written after all accounts are.
func (p *planner) draftReferences(ctx context.Context) error {
	if err := p.referToNew(ctx); err != nil {
		return err
	}
	return p.plans.Entries(ctx, managerRefSpace, func(tx *state.Tx, key, value []byte) error {
		user, manager := graphsync.ID(key), graphsync.ID(value)
		planned := plan.In(tx, p.sync.Name)
		made, err := planned.Get(plan.Key{Phase: plan.UserPhase, ID: manager}.Bytes())
		if made == nil || made.Op != plan.Create && made.Op != plan.Adopt {
			return err
		}
		link, linked, blocked, err := plan.PlannedLink(tx, p.sync.Name, graphsync.User, user)
		if err != nil || blocked {
			return err
		}
		a := plan.StoredAction{Action: plan.Action{Op: plan.Update, Kind: graphsync.User, SourceID: user, Why: "the manager gets an account"}}
		if linked && !link.Active {
			return nil
		}
		if linked {
			a.TargetID, a.Key, a.Via = &link.TargetID, link.Key, link.Via
		} else {
			own, err := planned.Get(plan.Key{Phase: plan.UserPhase, ID: user}.Bytes())
			if own == nil { // skipped: it has no account to refer from
				return err
			}
			a.TargetID, a.Key, a.Via = own.TargetID, own.Key, own.Via
		}
		for _, attribute := range p.sync.Users.Mapping.Attributes() {
			if name, ok := attribute.Direct(); ok && name == "manager" {
				a.Changes = append(a.Changes, plan.Change{Attribute: attribute.Path.String(), New: desired.AccountOf + made.Key + "]"})
			}
		}
		if len(a.Changes) == 0 {
			return nil
		}
		p.ledger.planned(graphsync.User, plan.Update, 1)
		return planned.Put(plan.Key{Phase: plan.ReferencePhase, ID: user}.Bytes(), &a)
	})
}

// referToNew marks the users who wait for the account of a manager that this plan makes. Nothing
// changed about them, so that no page names them.
func (p *planner) referToNew(ctx context.Context) error {
	waited := false
	err := p.tenant.View(func(tx *state.Tx) error {
		waited = tx.Space(p.sync.Name, waitingSpace).Count() > 0
		return nil
	})
	if err != nil || !waited || p.opts.Subject != nil {
		return err
	}
	return p.plans.Entries(ctx, plan.ActionSpace, func(tx *state.Tx, key, raw []byte) error {
		if plan.Phase(key[0]) != plan.UserPhase || plan.OpOf(raw) != plan.Create && plan.OpOf(raw) != plan.Adopt {
			return nil
		}
		manager := graphsync.ID(key[1:17])
		refer := tx.Space(p.sync.Name, managerRefSpace)
		for waiting := range tx.Space(p.sync.Name, waitingSpace).Prefix(manager[:]) {
			user := graphsync.ID(waiting[16:])
			object, known := tx.Objects().Get(graphsync.User, user)
			if !known || refer.Has(user[:]) || !strings.EqualFold(desired.StringProperty(&object, "manager"), manager.String()) {
				continue
			}
			if err := refer.Put(user[:], manager[:]); err != nil {
				return err
			}
		}
		return nil
	})
}
