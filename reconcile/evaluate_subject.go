package reconcile

import (
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/state"
)

// EvalSource presents a user of the snapshot to expressions, as a cycle of the sync would:
// with IsSoftDeleted, app roles and groups worked out. It is good for as long as tx is. The
// error of a user who is not there is [ErrUnknownSubject].
func EvalSource(tx *state.Tx, s *Sync, user graphsync.ID) (mapping.Source, error) {
	object, ok := tx.Objects().Get(graphsync.User, user)
	if !ok {
		return nil, fmt.Errorf("user %s: %w", user, ErrUnknownSubject)
	}
	link, linked, err := tx.Links(s.Name).Get(graphsync.User, user)
	if err != nil {
		return nil, fmt.Errorf("read link of user %s: %w", user, err)
	}
	var last *state.Link
	if linked {
		last = &link
	}
	eval := desired.NewEvaluator(s.config(), time.Time{}).In(tx) // only expressions that read the clock need the time
	stand := eval.Eligibility(&object, last)
	return &desired.Source{Object: &object, Eval: eval, Eligibility: &stand}, nil
}
