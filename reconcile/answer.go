package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"

	"entrasync/state"
)

// rejected stands for "never" where a digest stands for "go on".
const rejected = "no:"

// Approve lets the actions of a hold pass with the next cycle, exactly as they were shown: each
// is bound to its content, so that what has changed since is held again. It returns how many.
func Approve(tx *state.Tx, sync, hold string) (int, error) {
	return answer(tx, sync, hold, func(a *storedAction) string { return a.Action.digest() })
}

// Reject drops the actions of a hold: they are not planned again as they are. A change of the
// person, or of what would be done, asks anew.
func Reject(tx *state.Tx, sync, hold string) (int, error) {
	return answer(tx, sync, hold, func(a *storedAction) string { return rejected + a.Action.digest() })
}

func answer(tx *state.Tx, sync, hold string, verdict func(*storedAction) string) (n int, err error) {
	approved := tx.Space(sync, approvedSpace)
	var keys [][]byte
	var verdicts []string
	for key, raw := range tx.Space(sync, heldSpace).All(nil) {
		a, err := decodeAction(raw)
		if err != nil {
			return 0, err
		}
		if a.Held != nil && a.Held.Hold == hold {
			keys, verdicts = append(keys, slices.Clone(key)), append(verdicts, verdict(&a))
		}
	}
	if len(keys) == 0 {
		return 0, fmt.Errorf("it holds nothing any more")
	}
	for i, key := range keys {
		if err := approved.Put(key, []byte(verdicts[i])); err != nil {
			return 0, err
		}
	}
	return len(keys), tx.DeleteHold(sync, hold)
}

// HeldDigests identifies by hold what is held: the same actions give the same text. It binds an
// answer to what a person was shown, as a hold keeps its id while its cause lasts and more may
// have come to it.
func HeldDigests(tx *state.Tx, sync string) (map[string]string, error) {
	sums := map[string]hash.Hash{}
	for key, raw := range tx.Space(sync, heldSpace).All(nil) {
		a, err := decodeAction(raw)
		if err != nil {
			return nil, err
		}
		if a.Held == nil {
			continue
		}
		sum := sums[a.Held.Hold]
		if sum == nil {
			sum = sha256.New()
			sums[a.Held.Hold] = sum
		}
		sum.Write(key)
		io.WriteString(sum, a.Action.digest())
	}
	digests := make(map[string]string, len(sums))
	for hold, sum := range sums {
		digests[hold] = hex.EncodeToString(sum.Sum(nil)[:16])
	}
	return digests, nil
}
