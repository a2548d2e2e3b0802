package reconcile

import (
	"context"
	"fmt"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/snapshot"
	"entrasync/state"
)

// A gapLister lists what Graph reported and the snapshot cannot show.
type gapLister struct {
	sync         *Sync
	requirements snapshot.Requirements
	opts         Options
	source       graphsync.Source
	tenant       *state.Tenant
	ledger       *ledger
}

// nameGaps lists in every run what Graph told and the snapshot cannot show: objects whose entries
// were not understood, principals that are assigned and not in the directory as it was read, and
// groups whose members it hides.
// They are part of no decision, and must not be taken for people who have no assignment.
func (g *gapLister) nameGaps(ctx context.Context) error {
	if g.opts.Subject != nil {
		return nil
	}
	if err := g.noteUnplaced(); err != nil {
		return err
	}
	gaps, err := g.unresolved()
	if err != nil {
		return err
	}
	if RequirementsOf([]*Sync{g.sync}).App {
		missing, err := g.missingPrincipals(ctx)
		if err != nil {
			return err
		}
		gaps = append(gaps, missing...)
	}
	hidden, err := g.hiddenGroups(ctx)
	if err != nil {
		return err
	}
	gaps = append(gaps, hidden...)
	if len(gaps) == 0 {
		return nil
	}
	return g.tenant.Update(func(tx *state.Tx) error {
		for _, gap := range gaps {
			if err := g.ledger.skip(tx, gap); err != nil {
				return err
			}
		}
		return nil
	})
}

// noteUnplaced repeats, until the next full round, which entries were not understood and do not say
// which object they are about.
func (g *gapLister) noteUnplaced() error {
	return g.tenant.View(func(tx *state.Tx) error {
		for _, stream := range []graphsync.Stream{graphsync.Users, graphsync.Groups} {
			for _, entry := range tx.Cursors().Get(stream).Unplaced {
				g.ledger.note("an entry of %s was not understood: %s", stream, entry)
			}
		}
		return nil
	})
}

// unresolved are the objects of which an entry was not understood, nor a direct reading.
func (g *gapLister) unresolved() (gaps []plan.Skipped, err error) {
	kinds := []graphsync.Kind{graphsync.User}
	if len(RequirementsOf([]*Sync{g.sync}).GroupProperties) > 0 {
		kinds = append(kinds, graphsync.Group)
	}
	err = g.tenant.View(func(tx *state.Tx) error {
		for _, kind := range kinds {
			for doubt := range tx.Doubts().All(kind, graphsync.ID{}) {
				object, _ := tx.Objects().Get(kind, doubt.ID)
				object.Kind, object.ID = kind, doubt.ID
				gaps = append(gaps, plan.Skipped{Kind: kind, SourceID: doubt.ID, Key: desired.KeyOf(&object, nil), Code: "source_incomplete",
					Why: "what Graph sends of it cannot be understood (" + doubt.Reason + "): what was known before still counts"})
			}
		}
		return nil
	})
	return gaps, err
}

// missingPrincipals are the principals of assignments that the snapshot does not have.
func (g *gapLister) missingPrincipals(ctx context.Context) (gaps []plan.Skipped, err error) {
	add := func(kind graphsync.Kind, id graphsync.ID, why string) {
		gaps = append(gaps, plan.Skipped{Kind: kind, SourceID: id, Key: id.String(), Code: "unknown_principal", Why: why})
	}
	groups := len(g.requirements.GroupProperties) > 0
	err = g.tenant.View(func(tx *state.Tx) error {
		for id, reason := range tx.Assignments(g.sync.AppID).Strangers() {
			add(graphsync.User, id, reason+", and the directory as it was read has no such user or group")
		}
		n := 0
		for principal := range tx.Assignments(g.sync.AppID).Principals(graphsync.ID{}) {
			if n++; n%10000 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			if principal.Kind == graphsync.Group && !groups {
				continue
			}
			if _, known := tx.Objects().Get(principal.Kind, principal.ID); !known {
				add(principal.Kind, principal.ID, fmt.Sprintf("it is assigned to the application, but the directory as it was read has no such %s", principal.Kind))
			}
		}
		return nil
	})
	return gaps, err
}
