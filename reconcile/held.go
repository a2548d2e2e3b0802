package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"iter"

	"entrasync/state"
)

// HeldActions yields what a hold holds, by rising key, as [Approve] and [Reject] answer it.
func HeldActions(tx *state.Tx, sync, id string) iter.Seq2[Action, error] {
	return func(yield func(Action, error) bool) {
		hold, ok := tx.Hold(sync, id)
		if !ok {
			yield(Action{}, fmt.Errorf("there is no such hold"))
			return
		}
		for _, raw := range tx.Space(sync, heldSpace).All(nil) {
			a, err := decodeAction(raw)
			if err == nil && (a.Held == nil || a.Held.Guard != hold.Guard || a.Held.Cause != hold.Cause) {
				continue
			}
			if !yield(a.Action, err) || err != nil {
				return
			}
		}
	}
}

// HeldDigests identifies by hold what is held: the same actions give the same text. It binds an
// answer to what a person was shown, as a hold keeps its id while its cause lasts and more may
// have come to it.
func HeldDigests(tx *state.Tx, sync string) (map[string]string, error) {
	ids := map[[2]string]string{}
	sums := map[string]hash.Hash{}
	for hold := range tx.Holds(sync) {
		ids[[2]string{hold.Guard, hold.Cause}] = hold.ID
		sums[hold.ID] = sha256.New()
	}
	for key, raw := range tx.Space(sync, heldSpace).All(nil) {
		a, err := decodeAction(raw)
		if err != nil {
			return nil, err
		}
		if a.Held == nil {
			continue
		}
		if sum := sums[ids[[2]string{a.Held.Guard, a.Held.Cause}]]; sum != nil {
			sum.Write(key)
			io.WriteString(sum, a.Action.digest())
		}
	}
	digests := make(map[string]string, len(sums))
	for id, sum := range sums {
		digests[id] = hex.EncodeToString(sum.Sum(nil)[:16])
	}
	return digests, nil
}
