package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// ErrUnknownSubject means that the directory has nobody of that name.
var ErrUnknownSubject = errors.New("not found in the directory")

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

// recordMatchStep and walkAct tell the last two steps from the plan and from what came of it.
func (r *reporter) recordMatchStep() {
	if r.opts.Subject == nil {
		return
	}
	detail := "nothing to match"
	for action, err := range planOf(r.sync, r.tenant, &r.ledger.report).Actions() {
		switch {
		case err != nil:
			detail = err.Error()
		case action.Op == plan.Create:
			detail = "no account exists"
		case action.TargetID != nil:
			detail = "account " + *action.TargetID
		}
	}
	ok := true
	for skipped, err := range planOf(r.sync, r.tenant, &r.ledger.report).Skipped() {
		if err == nil {
			detail, ok = skipped.Why, false
		}
	}
	r.ledger.recordStep("match", ok, "%s", detail)
}

func (r *reporter) recordActStep() {
	if r.opts.Subject == nil {
		return
	}
	var done []string
	for action, err := range planOf(r.sync, r.tenant, &r.ledger.report).Actions() {
		if err == nil {
			done = append(done, string(action.Op)+" "+action.Kind.String()+" "+action.Key)
		}
	}
	switch {
	case len(r.ledger.report.Errors) > 0:
		r.ledger.recordStep("act", false, "%s", r.ledger.report.Errors[0].Message)
	case r.ledger.counts.Held > 0:
		r.ledger.recordStep("act", false, "held, waits for approval")
	case len(done) == 0:
		r.ledger.recordStep("act", true, "nothing to do")
	default:
		r.ledger.recordStep("act", true, "%s", strings.Join(done, ", "))
	}
}

// Find returns the object a key names: an object id, or a user's user principal name or
// address, or a group's display name. Names are compared in any case. An object that exists comes
// before those that were deleted; a name that fits several is an error.
func Find(ctx context.Context, tenant *state.Tenant, s Subject) (graphsync.ID, error) {
	if id, err := graphsync.ParseID(s.Key); err == nil {
		err := tenant.View(func(tx *state.Tx) error {
			if _, ok := tx.Objects().Get(s.Kind, id); !ok {
				return fmt.Errorf("%s %s: %w", s.Kind, s.Key, ErrUnknownSubject)
			}
			return nil
		})
		return id, err
	}
	names := []string{"userPrincipalName", "mail"}
	if s.Kind == graphsync.Group {
		names = []string{"displayName"}
	}
	var found, deleted []graphsync.ID
	err := tenant.View(func(tx *state.Tx) error {
		n := 0
		for object := range tx.Objects().All(s.Kind, graphsync.ID{}) {
			if n++; n%10000 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			for _, name := range names {
				if !strings.EqualFold(desired.StringProperty(&object, name), s.Key) {
					continue
				}
				if object.Removed == graphsync.NotRemoved {
					found = append(found, object.ID)
				} else {
					deleted = append(deleted, object.ID)
				}
				break
			}
		}
		return nil
	})
	if len(found) == 0 {
		found = deleted
	}
	switch {
	case err != nil:
		return graphsync.ID{}, err
	case len(found) == 0:
		return graphsync.ID{}, fmt.Errorf("%s %q: %w", s.Kind, s.Key, ErrUnknownSubject)
	case len(found) > 1:
		return graphsync.ID{}, fmt.Errorf("%s %q fits %d objects, such as %s and %s: name one by its object id", s.Kind, s.Key, len(found), found[0], found[1])
	}
	return found[0], nil
}
