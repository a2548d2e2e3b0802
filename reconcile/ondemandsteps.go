package reconcile

import (
	"context"
	"strings"

	"entrasync/reconcile/plan"
)

// recordMatch reports of a provision on demand which account was found for the object.
func (r *reporter) recordMatch(context.Context) error {
	if r.opts.Subject == nil {
		return nil
	}
	detail := "nothing to match"
	for action, err := range planOf(r.sync, r.tenant, &r.ledger.report).Actions() {
		switch {
		case err != nil:
			detail = err.Error()
		case action.Op == plan.Create:
			detail = "no account exists"
		case action.TargetID != nil:
			detail = "account " + *action.TargetID
		}
	}
	ok := true
	for skipped, err := range planOf(r.sync, r.tenant, &r.ledger.report).Skipped() {
		if err == nil {
			detail, ok = skipped.Why, false
		}
	}
	r.ledger.recordStep("match", ok, "%s", detail)
	return nil
}

// recordAct reports of a provision on demand what was done for the object.
func (r *reporter) recordAct() {
	if r.opts.Subject == nil {
		return
	}
	var done []string
	for action, err := range planOf(r.sync, r.tenant, &r.ledger.report).Actions() {
		if err == nil {
			done = append(done, string(action.Op)+" "+action.Kind.String()+" "+action.Key)
		}
	}
	switch {
	case len(r.ledger.report.Errors) > 0:
		r.ledger.recordStep("act", false, "%s", r.ledger.report.Errors[0].Message)
	case r.ledger.counts.Held > 0:
		r.ledger.recordStep("act", false, "held, waits for approval")
	case len(done) == 0:
		r.ledger.recordStep("act", true, "nothing to do")
	default:
		r.ledger.recordStep("act", true, "%s", strings.Join(done, ", "))
	}
}
