package reconcile

import "entrasync/reconcile/plan"

// A runLine is one line of a stored run: an action and its result.
type runLine struct {
	plan.Action
	Outcome string        `json:"outcome"`
	Error   *plan.Failure `json:"error,omitempty"`
}

const (
	outcomeDone   = "done"
	outcomeFailed = "failed"
)
