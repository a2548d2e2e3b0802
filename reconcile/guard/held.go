package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"iter"

	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A HeldAction is an action of a hold with the people it takes a membership from or gives one.
type HeldAction struct {
	plan.Action
	Members []plan.ChangedMember `json:"members,omitempty"`
}

// HeldActions yields what a hold holds, or what of it was rejected, by rising key, as [Approve]
// and [Reject] decide it.
func HeldActions(tx *state.Tx, sync, id string) iter.Seq2[HeldAction, error] {
	return func(yield func(HeldAction, error) bool) {
		space := plan.HeldSpace
		if _, held := tx.Holds(sync).Get(id); !held {
			space = plan.RejectedSpace
		}
		found := false
		for _, raw := range tx.Space(sync, space).All(nil) {
			a, err := plan.DecodeAction(raw)
			if err == nil && !belongsTo(tx, sync, id, &a) {
				continue
			}
			found = true
			if !yield(HeldAction{a.Action, changedMembers(tx, sync, &a.Action)}, err) || err != nil {
				return
			}
		}
		if !found && space == plan.RejectedSpace {
			yield(HeldAction{}, fmt.Errorf("there is no such hold"))
		}
	}
}

// A RejectedHold is what a person rejected of a hold and what is still due.
type RejectedHold struct {
	Hold     string
	Guard    string
	Cause    string
	Count    int
	Sample   []string // the first names
	Removals int      // how many of the actions take an account away: people who keep it without a right
	plan.Decision
}

// RejectedHolds returns what was rejected and is still due, by hold.
func RejectedHolds(tx *state.Tx, sync string) ([]RejectedHold, error) {
	var holds []RejectedHold
	at := map[string]int{}
	for _, raw := range tx.Space(sync, plan.RejectedSpace).All(nil) {
		a, err := plan.DecodeAction(raw)
		if err != nil {
			return nil, err
		}
		if a.Held == nil || a.Rejected == nil {
			continue
		}
		i, known := at[a.Rejected.Hold]
		if !known {
			i = len(holds)
			at[a.Rejected.Hold] = i
			holds = append(holds, RejectedHold{Hold: a.Rejected.Hold, Guard: a.Held.Guard, Cause: a.Held.Cause, Decision: a.Rejected.Decision})
		}
		h := &holds[i]
		if h.Count++; len(h.Sample) < SampleSize {
			h.Sample = append(h.Sample, a.Key)
		}
		if a.Op.Removes() {
			h.Removals++
		}
	}
	return holds, nil
}

// CountRejected returns how many actions were rejected and are still due.
func CountRejected(tx *state.Tx, sync string) int { return tx.Space(sync, plan.RejectedSpace).Count() }

// HeldDigests identifies by hold what is held, or what was rejected: the same actions give the same text. It binds a
// decision to what a person was shown, as a hold keeps its id while its cause lasts and more may
// have come to it.
func HeldDigests(tx *state.Tx, sync string) (map[string]string, error) {
	ids := map[[2]string]string{}
	sums := map[string]hash.Hash{}
	for hold := range tx.Holds(sync).All() {
		ids[[2]string{hold.Guard, hold.Cause}] = hold.ID
		sums[hold.ID] = sha256.New()
	}
	for key, raw := range tx.Space(sync, plan.HeldSpace).All(nil) {
		a, err := plan.DecodeAction(raw)
		if err != nil {
			return nil, err
		}
		if a.Held == nil {
			continue
		}
		if sum := sums[ids[[2]string{a.Held.Guard, a.Held.Cause}]]; sum != nil {
			sum.Write(key)
			io.WriteString(sum, a.Effect())
		}
	}
	for key, raw := range tx.Space(sync, plan.RejectedSpace).All(nil) {
		a, err := plan.DecodeAction(raw)
		if err != nil {
			return nil, err
		}
		if a.Rejected == nil {
			continue
		}
		sum := sums[a.Rejected.Hold]
		if sum == nil {
			sum = sha256.New()
			sums[a.Rejected.Hold] = sum
		}
		sum.Write(key)
		io.WriteString(sum, a.Effect())
	}
	digests := make(map[string]string, len(sums))
	for id, sum := range sums {
		digests[id] = hex.EncodeToString(sum.Sum(nil)[:16])
	}
	return digests, nil
}

// HoldKey names a hold within one plan: what it holds is grouped by guard and cause.
func HoldKey(guard, cause string) string { return guard + "\x00" + cause }
