package reconcile

import (
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/state"
)

// answers are what people said of held actions. Each is bound to the content of the action it
// was shown for: when the directory has moved on since, there is no answer to what is due now.
type answers struct{ *state.Space }

// An answer to a held action.
type answer byte

const (
	unanswered answer = iota
	approved
	rejected
)

func answersIn(tx *state.Tx, sync string) answers { return answers{tx.Space(sync, answerSpace)} }

// of returns the answer to an action as it stands.
func (s answers) of(key []byte, a *storedAction) answer {
	raw := s.Get(key)
	if len(raw) < 2 || string(raw[1:]) != a.Action.digest() {
		return unanswered
	}
	return answer(raw[0])
}

// rejects reports whether an action at this place of the plan was rejected.
func (s answers) rejects(key []byte) bool {
	raw := s.Get(key)
	return len(raw) > 0 && answer(raw[0]) == rejected
}

func (s answers) give(key []byte, a *storedAction, what answer) error {
	return s.Put(key, append([]byte{byte(what)}, a.Action.digest()...))
}

// Approve lets the actions of a hold pass with the next cycle, exactly as they were shown. It
// returns how many they are.
func Approve(tx *state.Tx, sync, hold string) (int, error) {
	return answerHold(tx, sync, hold, approved)
}

// Reject drops the actions of a hold: they are not planned again as they are. A change of the
// person, or of what would be done, asks anew.
func Reject(tx *state.Tx, sync, hold string) (int, error) {
	return answerHold(tx, sync, hold, rejected)
}

func answerHold(tx *state.Tx, sync, id string, what answer) (int, error) {
	hold, ok := tx.Hold(sync, id)
	if !ok {
		return 0, fmt.Errorf("there is no such hold")
	}
	given := answersIn(tx, sync)
	var keys [][]byte
	var actions []storedAction
	for key, raw := range tx.Space(sync, heldSpace).All(nil) {
		a, err := decodeAction(raw)
		if err != nil {
			return 0, err
		}
		if a.Held != nil && a.Held.Guard == hold.Guard && a.Held.Cause == hold.Cause {
			keys, actions = append(keys, slices.Clone(key)), append(actions, a)
		}
	}
	if len(keys) == 0 {
		return 0, fmt.Errorf("it holds nothing any more")
	}
	for i, key := range keys {
		if err := given.give(key, &actions[i], what); err != nil {
			return 0, err
		}
	}
	return len(keys), tx.DeleteHold(sync, id)
}

// forgetAnswers drops answers about an object whose action is no longer due: the same accident
// at another time asks again.
func (d *drafter) forgetAnswers(kind graphsync.Kind, id graphsync.ID) error {
	if !d.opts.Apply {
		return nil
	}
	given := answersIn(d.tx, d.Sync.Name)
	for _, p := range []phase{leavePhase, phaseOf(kind)} {
		key := actionKey{phase: p, id: id}.bytes()
		if given.Has(key) && !d.plan.Has(key) {
			if err := given.Delete(key); err != nil {
				return err
			}
		}
	}
	return nil
}
