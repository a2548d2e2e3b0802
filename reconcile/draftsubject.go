package reconcile

import (
	"context"

	"entrasync/graphsync"
	"entrasync/state"
)

// draftSubject plans one object only: a user with the memberships in provisioned groups, or a
// group with the accounts of all its members, however many.
func (p *planner) draftSubject(ctx context.Context) error {
	p.ledger.recordStep("connect", true, "directory read, %d requests", p.source.Traffic().Requests-p.graphBefore.Requests)
	id, err := Find(ctx, p.tenant, *p.opts.Subject)
	if err != nil {
		p.ledger.recordStep("import", false, "%s", err)
		return err
	}
	kind := p.opts.Subject.Kind
	p.ledger.recordStep("import", true, "%s %s", kind, id)
	if err := p.draftObjects(ctx, kind, []graphsync.ID{id}); err != nil {
		return err
	}
	if kind == graphsync.Group {
		var members []graphsync.ID
		err := p.tenant.View(func(tx *state.Tx) error {
			for member := range tx.Members().Of(id) {
				if member.Kind == graphsync.User {
					members = append(members, member.ID)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := p.draftObjects(ctx, graphsync.User, members); err != nil {
			return err
		}
	}
	return p.tenant.Update(func(tx *state.Tx) error {
		object, _ := tx.Objects().Get(kind, id)
		if kind == graphsync.Group {
			why, in, problem := p.eval.In(tx).GroupInScope(&object)
			p.ledger.recordStep("scope", in, "%s", why+problem)
			return markMembers(tx, p.sync.Name, id)
		}
		link, linked, err := tx.Links(p.sync.Name).Get(graphsync.User, id)
		if err != nil {
			return err
		}
		var last *state.Link
		if linked {
			last = &link
		}
		stand := p.eval.In(tx).Eligibility(&object, last)
		p.ledger.recordStep("scope", stand.InScope, "%s", stand.Why)
		return nil
	})
}
