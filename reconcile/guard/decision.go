package guard

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A Verdict is yes or no to a held action.
type Verdict byte

const (
	Undecided Verdict = iota
	Approved
	Rejected
)

// A Decision is what a person said to one held action. It is bound to what the action removes or
// takes over, see [plan.StoredAction.Divergence]: while that is unchanged the decision holds.
type Decision struct {
	plan.Decision
	Verdict Verdict           `json:"verdict"`
	Hold    string            `json:"hold"`
	Guard   string            `json:"guard"`
	Cause   string            `json:"cause"`
	Action  plan.StoredAction `json:"action"`

	digest string // of the action, in decisions stored by versions that kept nothing else
}

// Lapse says why a decision does not fit an action as it is now, "" when it does. An approval
// covers less than it was given for, a rejection only the same for the same cause.
func (d *Decision) Lapse(a *plan.StoredAction) string {
	if d.digest != "" {
		if d.digest == a.Action.Digest() {
			return ""
		}
		return "what would be done has changed"
	}
	if d.Verdict == Rejected && d.Action.Cause != a.Cause {
		return fmt.Sprintf("the cause is %q and no longer %q", a.Cause, d.Action.Cause)
	}
	return d.Action.Divergence(a)
}

// Expired reports whether a rejection has ended: rejections last for a time, zero is for ever.
func (d *Decision) Expired(now time.Time, last time.Duration) bool {
	return d.Verdict == Rejected && last > 0 && !d.At.IsZero() && !now.Before(d.At.Add(last))
}

// Decisions are what people decided about held actions, by the action's place in the plan.
type Decisions struct{ *state.Space }

// DecisionsIn returns what people decided about the actions of a sync.
func DecisionsIn(tx *state.Tx, sync string) Decisions {
	return Decisions{tx.Space(sync, plan.DecisionSpace)}
}

// At returns the decision about what is at a place of the plan, nil when there is none.
func (s Decisions) At(key []byte) *Decision {
	raw := s.Get(key)
	if raw == nil {
		return nil
	}
	return decodeDecision(raw)
}

func (s Decisions) put(key []byte, d *Decision) error { return s.Put(key, plan.Encode(d)) }

// decodeDecision reads a stored decision. Before, it was a byte for the verdict and the digest
// of the action, without who decided and when. One that cannot be read is none: it is asked again.
func decodeDecision(raw []byte) *Decision {
	if len(raw) == 0 {
		return nil
	}
	if raw[0] != '{' {
		return &Decision{Verdict: Verdict(raw[0]), digest: string(raw[1:])}
	}
	var d Decision
	if json.Unmarshal(raw, &d) != nil {
		return nil
	}
	return &d
}

// A MemberDecision is what was decided about one person's leaving a group.
type MemberDecision struct {
	Key      []byte // of the decision
	Decision *Decision
}

// Leaving returns what was decided about the people who leave a group. Decisions about changes
// of members are kept by person, whatever part of the plan a person is in the next time.
func (s Decisions) Leaving(group graphsync.ID) map[graphsync.ID]MemberDecision {
	var found map[graphsync.ID]MemberDecision
	for key, raw := range s.Prefix(append([]byte{byte(plan.MemberPhase)}, group[:]...)) {
		d := decodeDecision(raw)
		if d == nil || d.digest != "" {
			continue
		}
		if found == nil {
			found = map[graphsync.ID]MemberDecision{}
		}
		about := MemberDecision{slices.Clone(key), d}
		for _, member := range d.Action.Remove {
			if known, ok := found[member]; !ok || known.Decision.At.Before(d.At) {
				found[member] = about
			}
		}
	}
	return found
}
