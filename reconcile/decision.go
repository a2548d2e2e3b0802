package reconcile

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// decided is yes or no to a held action.
type decided byte

const (
	undecided decided = iota
	approved
	rejected
)

// A decision is what a person said to one held action. It is bound to what the action removes or
// takes over, see [plan.StoredAction.Divergence]: while that is unchanged the decision holds.
type decision struct {
	plan.Decision
	Verdict decided           `json:"verdict"`
	Hold    string            `json:"hold"`
	Guard   string            `json:"guard"`
	Cause   string            `json:"cause"`
	Action  plan.StoredAction `json:"action"`

	digest string // of the action, in decisions stored by versions that kept nothing else
}

// lapse says why a decision does not fit an action as it is now, "" when it does. An approval
// covers less than it was given for, a rejection only the same for the same cause.
func (d *decision) lapse(a *plan.StoredAction) string {
	if d.digest != "" {
		if d.digest == a.Action.Digest() {
			return ""
		}
		return "what would be done has changed"
	}
	if d.Verdict == rejected && d.Action.Cause != a.Cause {
		return fmt.Sprintf("the cause is %q and no longer %q", a.Cause, d.Action.Cause)
	}
	return d.Action.Divergence(a)
}

// expired reports whether a rejection has ended: rejections last for a time, zero is for ever.
func (d *decision) expired(now time.Time, last time.Duration) bool {
	return d.Verdict == rejected && last > 0 && !d.At.IsZero() && !now.Before(d.At.Add(last))
}

// decisions are what people decided about held actions, by the action's place in the plan.
type decisions struct{ *state.Space }

func decisionsIn(tx *state.Tx, sync string) decisions {
	return decisions{tx.Space(sync, plan.DecisionSpace)}
}

// at returns the decision about what is at a place of the plan, nil when there is none.
func (s decisions) at(key []byte) *decision {
	raw := s.Get(key)
	if raw == nil {
		return nil
	}
	return decodeDecision(raw)
}

func (s decisions) put(key []byte, d *decision) error { return s.Put(key, plan.Encode(d)) }

// decodeDecision reads a stored decision. Before, it was a byte for the verdict and the digest
// of the action, without who decided and when. One that cannot be read is none: it is asked again.
func decodeDecision(raw []byte) *decision {
	if len(raw) == 0 {
		return nil
	}
	if raw[0] != '{' {
		return &decision{Verdict: decided(raw[0]), digest: string(raw[1:])}
	}
	var d decision
	if json.Unmarshal(raw, &d) != nil {
		return nil
	}
	return &d
}

// A memberDecision is what was decided about one person's leaving a group.
type memberDecision struct {
	key      []byte // of the decision
	decision *decision
}

// leaving returns what was decided about the people who leave a group. Decisions about changes
// of members are kept by person, whatever part of the plan a person is in the next time.
func (s decisions) leaving(group graphsync.ID) map[graphsync.ID]memberDecision {
	var found map[graphsync.ID]memberDecision
	for key, raw := range s.Prefix(append([]byte{byte(plan.MemberPhase)}, group[:]...)) {
		d := decodeDecision(raw)
		if d == nil || d.digest != "" {
			continue
		}
		if found == nil {
			found = map[graphsync.ID]memberDecision{}
		}
		about := memberDecision{slices.Clone(key), d}
		for _, member := range d.Action.Remove {
			if known, ok := found[member]; !ok || known.decision.At.Before(d.At) {
				found[member] = about
			}
		}
	}
	return found
}
