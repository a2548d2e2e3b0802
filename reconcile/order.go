package reconcile

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// Names that must be unique move between users, or groups: one takes the name that another gives up
// in the same plan. The application refuses the first while the second still has it, so that renames
// that free a name are made before those that take it. A circle is broken by a temporary name.

// maxOrdered bounds how many renames that wait for another are put in order. More are applied in
// any order, and those that are refused are tried again in the next cycle.
const maxOrdered = 50_000

// A renameStep is a set of objects that are renamed at once: for good, or to a temporary name.
type renameStep struct {
	objects   []graphsync.ID
	temporary bool
}

// renameOrder puts renames into steps. needs says whose rename frees a name for an object; those
// that are not a key of it are renamed before. It is deterministic.
func renameOrder(needs map[graphsync.ID][]graphsync.ID) (steps []renameStep) {
	open := maps.Clone(needs)
	freed := map[graphsync.ID]bool{} // has given up its name, though it may still wait for its new one
	waits := func(id graphsync.ID) bool {
		return slices.ContainsFunc(needs[id], func(other graphsync.ID) bool { _, pending := open[other]; return pending && !freed[other] })
	}
	for len(open) > 0 {
		var ready []graphsync.ID
		for id := range open {
			if !waits(id) {
				ready = append(ready, id)
			}
		}
		if len(ready) == 0 {
			id := inCircle(open, freed)
			freed[id] = true
			steps = append(steps, renameStep{objects: []graphsync.ID{id}, temporary: true})
			continue
		}
		slices.SortFunc(ready, compareIDs)
		for _, id := range ready {
			delete(open, id)
		}
		steps = append(steps, renameStep{objects: ready})
	}
	return steps
}

func compareIDs(a, b graphsync.ID) int { return bytes.Compare(a[:], b[:]) }

// inCircle returns an object of a circle of renames, of which each waits for another.
func inCircle(open map[graphsync.ID][]graphsync.ID, freed map[graphsync.ID]bool) graphsync.ID {
	id := slices.MinFunc(slices.Collect(maps.Keys(open)), compareIDs)
	for seen := map[graphsync.ID]bool{}; !seen[id]; {
		seen[id] = true
		for _, other := range open[id] {
			if _, pending := open[other]; pending && !freed[other] {
				id = other
				break
			}
		}
	}
	return id
}

// waitingRenames finds the renames of a phase that wait for another.
func (ap *applier) waitingRenames(of plan.Phase) (needs map[graphsync.ID][]graphsync.ID, err error) {
	err = ap.tenant.Update(func(tx *state.Tx) error { return tx.Space(ap.sync.Name, freedSpace).Clear() })
	if err != nil {
		return nil, err
	}
	rules := ap.sync.rules(plan.KindOfPhase(of))
	any := false
	err = ap.plans.ActionsBut(of, plan.Create, func(_ [][]byte, actions []plan.StoredAction) error {
		var freed []plan.StoredAction
		for i := range actions {
			if actions[i].Held == nil && len(rules.Renames(&actions[i])) > 0 {
				freed = append(freed, actions[i])
			}
		}
		if len(freed) == 0 {
			return nil
		}
		any = true
		return ap.tenant.Update(func(tx *state.Tx) error {
			space := tx.Space(ap.sync.Name, freedSpace)
			for i := range freed {
				for _, r := range rules.Renames(&freed[i]) {
					if err := space.Put(valueKey(r.Path, r.Old), freed[i].SourceID[:]); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
	if err != nil || !any {
		return nil, err
	}
	needs = map[graphsync.ID][]graphsync.ID{}
	err = ap.plans.ActionsBut(of, plan.Create, func(_ [][]byte, actions []plan.StoredAction) error {
		return ap.tenant.View(func(tx *state.Tx) error {
			space := tx.Space(ap.sync.Name, freedSpace)
			for i := range actions {
				a := &actions[i]
				if a.Held != nil {
					continue
				}
				for _, r := range rules.Renames(a) {
					if other := space.Get(valueKey(r.Path, r.New)); other != nil && graphsync.ID(other) != a.SourceID && len(needs) < maxOrdered {
						needs[a.SourceID] = append(needs[a.SourceID], graphsync.ID(other))
					}
				}
			}
			return nil
		})
	})
	return needs, err
}

// moveAside gives objects temporary names, so that their present ones are free. When that fails, the
// renames that wait for it are refused, and tried again.
func (ap *applier) moveAside(ctx context.Context, of plan.Part) error {
	return ap.plans.Actions(of.Phase, func(keys [][]byte, actions []plan.StoredAction) error {
		for i := range actions {
			a := &actions[i]
			if a.Held != nil || a.TargetID == nil || !of.Pick(a.SourceID) {
				continue
			}
			key, err := plan.ParseKey(keys[i])
			if err == nil {
				err = ap.intents.recordIntents([]plan.PlacedAction{{Key: key, Action: a}})
			}
			if err != nil {
				return err
			}
			var aside []target.Attribute
			for _, r := range ap.sync.rules(a.Kind).Renames(a) {
				path, err := target.ParsePath(r.Path)
				if err != nil {
					return err
				}
				aside = append(aside, target.Attribute{Path: path, Value: temporaryName(r.Old, "moving", a.SourceID)})
			}
			ap.ledger.note("names move in a circle: %s %s of %s has a temporary one until the others are renamed", resourceWord(a.Kind), *a.TargetID, a.Key)
			if _, err := ap.target.Update(withOperation(ctx, ap.sync, ap.tenant, a), target.Ref{Kind: targetKind(a.Kind), ID: *a.TargetID}, aside); err != nil {
				if ctx.Err() != nil || target.CodeOf(err).Stops() {
					return fmt.Errorf("give %s %s of %s a temporary name in target %s: %w", resourceWord(a.Kind), *a.TargetID, a.Key, ap.sync.TargetName, err)
				}
				ap.ledger.note("%s %s of %s could not be given a temporary name: %v", resourceWord(a.Kind), *a.TargetID, a.Key, err)
			}
		}
		return nil
	})
}
