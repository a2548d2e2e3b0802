package plan

import (
	"iter"

	"entrasync/state"
)

// Actions are the actions of a sync's stored plan within one transaction, by their place: the bytes
// of a [Key].
type Actions struct{ space *state.Space }

// In returns the plan of a sync.
func In(tx *state.Tx, sync string) Actions {
	return Actions{space: tx.Space(sync, ActionSpace)}
}

// Get returns the action at a place, nil when there is none. With an error it is nil.
func (p Actions) Get(place []byte) (*StoredAction, error) {
	raw := p.space.Get(place)
	if raw == nil {
		return nil, nil
	}
	a, err := DecodeAction(raw)
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// Op returns what the action at a place does, "" when there is none. It reads no more than that.
func (p Actions) Op(place []byte) Op { return OpOf(p.space.Get(place)) }

// Has reports whether there is an action at a place.
func (p Actions) Has(place []byte) bool { return p.space.Has(place) }

// Put stores an action at its place.
func (p Actions) Put(place []byte, a *StoredAction) error {
	return p.space.Put(place, EncodeAction(a))
}

// Delete removes the action at a place; none is fine.
func (p Actions) Delete(place []byte) error { return p.space.Delete(place) }

// From yields the stored actions behind a place in the order of the plan; nil is its beginning. Many callers
// need only the operation, see [OpOf], so it is not decoded.
func (p Actions) From(after []byte) iter.Seq2[[]byte, []byte] { return p.space.All(after) }

// Below yields the stored actions whose places begin with a phase, or with a phase and an object.
func (p Actions) Below(prefix []byte) iter.Seq2[[]byte, []byte] { return p.space.Prefix(prefix) }
