package reconcile

import (
	"context"
	"slices"

	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// withoutRedacted returns an action's error without the values of redacted attributes: those that were
// sent, and those that the account should have, which the target may name when it refuses something
// else.
func (x *executor) withoutRedacted(ctx context.Context, a *plan.StoredAction, sent []target.Attribute, err error) error {
	m := x.sync.rules(a.Kind).Mapping
	if m == nil || !redactsAny(m) {
		return err
	}
	var o desired.Outcome
	// An object that cannot be evaluated has no values.
	_ = x.tenant.View(func(tx *state.Tx) (err error) {
		o, err = desired.NewEvaluator(x.sync.config(), x.now).DesireIn(tx, a.Kind, a.SourceID, false)
		return err
	})
	return target.Redacted(redactorOf(m, append(sentOf(o.Attributes), sent...)), err)
}

// sentOf are the attributes that an object should have, as they would be sent.
func sentOf(desired []mapping.Desired) []target.Attribute {
	var sent []target.Attribute
	for _, d := range desired {
		sent = append(sent, target.Attribute{Path: d.Attribute.Path, Value: d.Value})
	}
	return sent
}

func redactsAny(m *mapping.Mapping) bool {
	return slices.ContainsFunc(m.Attributes(), func(a *mapping.Attribute) bool { return a.Redact })
}
