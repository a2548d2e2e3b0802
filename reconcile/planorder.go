package reconcile

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// sortedActions is up to how many actions of a phase are sorted by key. Those of a larger phase come
// by source id, so that memory does not grow with the plan.
const sortedActions = 5000

// Actions yields what the plan does by phase, in the order in which the phases are done. Within a
// phase of up to sortedActions actions they are in the order of their keys in any case, and of their
// source ids where keys are equal. The plan's binding is over this order.
func (p *Plan) Actions() iter.Seq2[plan.Action, error] {
	return func(yield func(plan.Action, error) bool) {
		order := keyOrder{limit: sortedActions, yield: func(a plan.Action) bool { return yield(a, nil) }}
		err := p.tenant.View(func(tx *state.Tx) error {
			for key, raw := range plan.In(tx, p.sync.Name).From(nil) {
				a, err := plan.DecodeAction(raw)
				if err != nil {
					return err
				}
				if a.Held != nil {
					continue
				}
				p.setName(tx, &a.Action)
				if !order.add(plan.Phase(key[0]), a.Action) {
					return errStop
				}
			}
			return stopUnless(order.flush())
		})
		if err != nil && err != errStop {
			yield(plan.Action{}, err)
		}
	}
}

// A keyOrder passes actions on phase by phase, each sorted by key unless it has more than limit.
type keyOrder struct {
	limit int
	yield func(plan.Action) bool

	phase    plan.Phase
	waiting  []plan.Action
	overflow bool // the phase has more actions than the limit
}

// add takes an action; those of a phase come one after another. It returns false when no more are
// wanted.
func (o *keyOrder) add(p plan.Phase, a plan.Action) bool {
	if p != o.phase {
		if !o.flush() {
			return false
		}
		o.phase, o.overflow = p, false
	}
	if o.overflow {
		return o.yield(a)
	}
	if o.waiting = append(o.waiting, a); len(o.waiting) <= o.limit {
		return true
	}
	o.overflow = true
	return o.pass()
}

// flush ends a phase.
func (o *keyOrder) flush() bool {
	slices.SortStableFunc(o.waiting, func(a, b plan.Action) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Key), strings.ToLower(b.Key)), strings.Compare(a.Key, b.Key))
	})
	return o.pass()
}

func (o *keyOrder) pass() bool {
	waiting := o.waiting
	o.waiting = nil
	for _, a := range waiting {
		if !o.yield(a) {
			return false
		}
	}
	return true
}

// setName sets the display name of an action's object, where the snapshot has one that may be shown.
func (p *Plan) setName(tx *state.Tx, a *plan.Action) {
	a.Name = displayName(tx, p.sync, a.Kind, a.SourceID, a.Key)
}

// displayName returns the display name of an object in Entra: "" when the sync does not read it,
// when it decides a value that is redacted, and when it equals key.
func displayName(tx *state.Tx, s *Sync, kind graphsync.Kind, id graphsync.ID, key string) string {
	rules := &s.Users
	if kind == graphsync.Group {
		rules = &s.Groups.Rules
	}
	if rules.Mapping != nil && rules.Mapping.Redacts("displayName") {
		return ""
	}
	object, known := tx.Objects().Get(kind, id)
	if !known {
		return ""
	}
	name := desired.StringProperty(&object, "displayName")
	if name == key {
		return ""
	}
	return name
}
