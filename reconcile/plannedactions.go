package reconcile

import (
	"iter"

	"entrasync/state"
)

// plannedActions are the actions of a sync's stored plan within one transaction, by their place: the bytes
// of an actionKey.
type plannedActions struct{ space *state.Space }

func planIn(tx *state.Tx, sync string) plannedActions {
	return plannedActions{space: tx.Space(sync, planSpace)}
}

// get returns the action at a place, nil when there is none. With an error it is nil.
func (p plannedActions) get(place []byte) (*storedAction, error) {
	raw := p.space.Get(place)
	if raw == nil {
		return nil, nil
	}
	a, err := decodeAction(raw)
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// op returns what the action at a place does, "" when there is none. It reads no more than that.
func (p plannedActions) op(place []byte) Op { return opOf(p.space.Get(place)) }

func (p plannedActions) has(place []byte) bool { return p.space.Has(place) }

func (p plannedActions) put(place []byte, a *storedAction) error {
	return p.space.Put(place, encodeAction(a))
}

func (p plannedActions) delete(place []byte) error { return p.space.Delete(place) }

// from yields the stored actions behind a place in the order of the plan; nil is its beginning. Many callers
// need only what opOf tells of an action, so it is not decoded.
func (p plannedActions) from(after []byte) iter.Seq2[[]byte, []byte] { return p.space.All(after) }

// below yields the stored actions whose places begin with a phase, or with a phase and an object.
func (p plannedActions) below(prefix []byte) iter.Seq2[[]byte, []byte] { return p.space.Prefix(prefix) }
