package reconcile

import (
	"context"

	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// planStats counts what a guard compares with.
type planStats struct {
	linked, removals, updates, creations int
	adopted                              int                  // accounts taken over, which were there before
	seats                                int                  // how many more accounts are active afterwards
	groupMembers                         map[graphsync.ID]int // removed per group
	decisions, heldBefore                int                  // what people decided, and what the last plan held
	recent                               int                  // removals of the last 24 hours
	before                               int                  // removals since the last cycle that was not a removals cycle
	membersBefore                        map[graphsync.ID]int // likewise, per group
	emptyRead                            string               // why an empty read is suspected, "" when not
	unverified                           bool                 // users were listed, and a list may lack some
	administrators                       int
	losing                               map[graphsync.ID]bool // administrators the plan would lose
	access                               map[graphsync.ID]*accessLoss
	lost                                 losses // accounts made again that are gone from the application
}

func (g *guardReview) stats(ctx context.Context) (planStats, error) {
	f := planStats{groupMembers: map[graphsync.ID]int{}, losing: map[graphsync.ID]bool{}, access: map[graphsync.ID]*accessLoss{}, lost: losses{}}
	for _, past := range g.info.Removals {
		if g.now.Sub(past.At) < window {
			f.recent += past.Count
		}
		if past.At.After(g.info.LastSuccess) {
			f.before += past.Count
		}
	}
	err := g.tenant.View(func(tx *state.Tx) error {
		_, f.linked = tx.Links(g.sync.Name).Count(graphsync.User)
		f.unverified = tx.Cursors().Get(graphsync.Users).Unverified
		switch {
		case tx.Objects().Count(graphsync.User) == 0:
			f.emptyRead = "the tenant returned no users"
		case !g.sync.Scope.All && tx.Assignments(g.sync.AppID).Count() == 0:
			f.emptyRead = "the application has no assignments"
		}
		f.membersBefore = membersRemovedBefore(tx, g.sync.Name)
		given := guard.DecisionsIn(tx, g.sync.Name)
		f.decisions, f.heldBefore = given.Count(), tx.Space(g.sync.Name, g.opts.heldSpace()).Count()
		for key, raw := range plan.In(tx, g.sync.Name).From(nil) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if plan.OpOf(raw) == plan.Create && !given.Has(key) { // most of a first plan: counting them needs no reading
				f.creations++
				f.lost.add(tx.Space(g.sync.Name, lostSpace), key)
				if key[0] == byte(plan.UserPhase) {
					f.seats++
				}
				continue
			}
			a, err := plan.DecodeAction(raw)
			if err != nil {
				return err
			}
			seats := seatChange(tx, g.sync.Name, &a)
			f.seats += seats
			if f.decisions > 0 && wasRejected(given, key, &a, g.now, g.sync.Guard.Rejections) {
				continue // it is not done, so it does not count for what else is
			}
			if a.Op.Removes() && seats < 0 && !a.Again {
				f.loses(a.Left)
			}
			if err := f.losesAdministrator(tx, g.sync, &a); err != nil {
				return err
			}
			switch {
			case a.Again: // it passed before
			case a.Op.Removes():
				if a.Held == nil { // what waits for a cause of its own does not hold others back
					f.removals++
				}
			case a.Op == plan.Create:
				f.creations++
			case a.Op == plan.Update && a.Held != nil && a.Held.Guard == guard.Drift: // waits for a cause of its own
			case a.Op == plan.Update:
				f.updates++
			case a.Op == plan.Adopt && a.Kind == graphsync.User:
				f.adopted++
				if changesAccess(&a.Action) {
					f.updates++
				}
			case a.Op == plan.Members && len(a.Remove) > 0:
				f.groupMembers[a.SourceID] += len(a.Remove)
			}
		}
		if err := f.countAccess(ctx, tx, g.sync); err != nil {
			return err
		}
		return f.countAdministrators(ctx, tx, g.sync)
	})
	return f, err
}

// seatChange is how many more accounts an action leaves active.
func seatChange(tx *state.Tx, sync string, a *plan.StoredAction) int {
	if a.Kind != graphsync.User || a.Orphan {
		return 0
	}
	switch a.Op {
	case plan.Create, plan.Adopt:
		return 1
	case plan.Reactivate:
		if link, ok, err := tx.Links(sync).Get(graphsync.User, a.SourceID); err != nil || !ok || !link.Active {
			return 1
		}
	case plan.Deactivate:
		return -1
	case plan.Delete, plan.Unlink:
		if a.MovesTo != "" {
			return 0
		}
		if link, ok, err := tx.Links(sync).Get(graphsync.User, a.SourceID); err == nil && ok && link.Active {
			return -1
		}
	}
	return 0
}
