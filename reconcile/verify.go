package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"entrasync/reconcile/plan"
)

// verifyPlan compares the plan that came out with the one that was reviewed.
func (r *reporter) verifyPlan(context.Context) error {
	want := r.opts.Expect
	if want == nil {
		return nil
	}
	r.tally()
	have, err := planOf(r.sync, r.tenant, &r.ledger.report).binding()
	if err != nil {
		return err
	}
	written := sha256.New()
	fmt.Fprintf(written, "%s\x00%s\x00%s\x00", want.Sync, want.Tenant, r.sync.Hash())
	if want.Undo != nil {
		written.Write(plan.Encode(want.Undo))
	}
	for _, action := range want.Actions {
		action.Name = ""
		written.Write(plan.Encode(&action))
	}
	if have == want.Binding && hex.EncodeToString(written.Sum(nil)) == want.Binding {
		return nil
	}
	return fmt.Errorf("%w: %s; nothing was changed", ErrPlanMoved, r.difference(want))
}

// difference says in words what moved since a plan was made.
func (r *reporter) difference(want *Document) string {
	now := map[string]string{}
	for action, err := range planOf(r.sync, r.tenant, &r.ledger.report).Actions() {
		if err != nil {
			return err.Error()
		}
		action.Name = ""
		now[fmt.Sprintf("%s %s %s", action.Op, action.Kind, action.Key)] = string(plan.Encode(&action))
	}
	for _, action := range want.Actions {
		action.Name = ""
		name := fmt.Sprintf("%s %s %s", action.Op, action.Kind, action.Key)
		text, still := now[name]
		switch {
		case !still:
			return "it says to " + name + ", which is no longer due"
		case text != string(plan.Encode(&action)):
			return "what it says of " + action.Key + " is different now"
		}
		delete(now, name)
	}
	for name := range now {
		return "it does not say to " + name + ", which is due now"
	}
	return "the configuration changed"
}
