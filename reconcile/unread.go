package reconcile

import (
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// Compare is the operation of an error about an account that could not be read. No plan has it.
const Compare plan.Op = "compare"

// unread records that an account could not be read: an error with the application's own code.
// What is known of the account stays as it is, and recover reads it again in the next cycle.
func (r *recovery) unread(intent state.Intent, key string, cause error) error {
	a := plan.StoredAction{Action: plan.Action{Op: plan.Op(intent.Op), Kind: intent.Kind, SourceID: intent.Source, Key: key}}
	if !r.opts.Apply {
		r.ledger.unread()
		r.ledger.note("%s could not be read and is left as it is: %v", key, cause)
		return nil
	}
	return r.tenant.Update(func(tx *state.Tx) error {
		r.ledger.fail(tx, state.PendingKey{Kind: intent.Kind, ID: intent.Source}, &a, cause)
		return tx.Intents(r.sync.Name).Put(intent)
	})
}

// nameOfIntent is what people call the object of an intent.
func (r *recovery) nameOfIntent(intent state.Intent) (name string) {
	name = intent.Source.String()
	if n := len(intent.Keys); n > 0 {
		name = intent.Keys[n-1].Value
	}
	_ = r.tenant.View(func(tx *state.Tx) error {
		if link, linked, err := tx.Links(r.sync.Name).Get(intent.Kind, intent.Source); err == nil && linked && link.Key != "" {
			name = link.Key
		}
		return nil
	})
	return name
}

// clearFailed empties the list of what failed, before anything of this cycle can fail.
func (r *recovery) clearFailed() error {
	return r.tenant.Update(func(tx *state.Tx) error { return tx.Space(r.sync.Name, failedSpace).Clear() })
}
