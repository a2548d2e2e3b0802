package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/links"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// An Explanation is why an object has, or has not, an account and these values: the contract's
// explain document.
type Explanation struct {
	Format      string               `json:"format"`
	Sync        string               `json:"sync"`
	Tenant      graphsync.ID         `json:"tenant"`
	Subject     ExplainedSubject     `json:"subject"`
	InScope     bool                 `json:"in_scope"`
	Because     []Reason             `json:"because"`
	Attributes  []ExplainedAttribute `json:"attributes"`
	Link        *ExplainedLink       `json:"link"`
	Pinned      *LinkDecision        `json:"pinned"` // nothing changes the account; null: it is not pinned
	Pending     []string             `json:"pending"`
	LastOutcome *ExplainedOutcome    `json:"last_outcome"`
}

// An ExplainedSubject names who is explained.
type ExplainedSubject struct {
	Kind     graphsync.Kind `json:"kind"`
	SourceID graphsync.ID   `json:"source_id"`
	Key      string         `json:"key"`
}

// An Reason is one link of the chain from the directory to the account.
type Reason struct {
	Step   string `json:"step"` // directory, assignment, role, group, filter, account, mapping
	Result string `json:"result"`
	Detail string `json:"detail"`
}

// An ExplainedAttribute is how one value came about.
type ExplainedAttribute struct {
	Attribute  string `json:"attribute"`
	Expression string `json:"expression"`
	Value      any    `json:"value"`
	Applied    any    `json:"applied"`
	Note       string `json:"note,omitempty"`
}

// An ExplainedLink is the account an object has.
type ExplainedLink struct {
	TargetID string    `json:"target_id"`
	Since    time.Time `json:"since"`
	Adopted  bool      `json:"adopted"`
	Active   bool      `json:"active"`
	Cause    string    `json:"cause,omitempty"`
}

// An ExplainedOutcome is what was last done, or tried.
type ExplainedOutcome struct {
	Op      string     `json:"op"`
	At      *time.Time `json:"at,omitempty"`
	Code    string     `json:"code,omitempty"`
	Message string     `json:"message,omitempty"`
	RetryAt *time.Time `json:"retry_at,omitempty"`
}

// Explain tells why, from the snapshot and the links alone: no call is made.
func Explain(ctx context.Context, s *Sync, tenant *state.Tenant, subject Subject, now time.Time) (*Explanation, error) {
	id, err := Find(ctx, tenant, subject)
	if err != nil {
		return nil, err
	}
	e := explainer{sync: s, now: now}
	x := &Explanation{Format: "entrasync/explain/1", Sync: s.Name, Tenant: s.Tenant, Attributes: []ExplainedAttribute{}, Pending: []string{}}
	err = tenant.View(func(tx *state.Tx) error { return e.explain(tx, x, subject.Kind, id) })
	if err != nil {
		return nil, fmt.Errorf("explain %s %s: %w", subject.Kind, id, err)
	}
	return x, nil
}

// An explainer works out why one object stands as it does towards a sync.
type explainer struct {
	sync *Sync
	now  time.Time
}

func (e *explainer) explain(tx *state.Tx, x *Explanation, kind graphsync.Kind, id graphsync.ID) error {
	object, _ := tx.Objects().Get(kind, id)
	link, linked, err := tx.Links(e.sync.Name).Get(kind, id)
	if err != nil {
		return err
	}
	var last *state.Link
	if linked {
		last = &link
		x.Link = &ExplainedLink{TargetID: link.TargetID, Since: link.Since, Adopted: link.Adopted, Active: link.Active, Cause: link.Cause}
		if !link.LastAt.IsZero() {
			x.LastOutcome = &ExplainedOutcome{Op: link.LastOp, At: &link.LastAt}
		}
	}
	x.Subject = ExplainedSubject{Kind: kind, SourceID: id, Key: desired.KeyOf(&object, last)}
	x.because("directory", map[graphsync.Removal]string{graphsync.NotRemoved: "present", graphsync.SoftDeleted: "deleted", graphsync.Purged: "purged"}[object.Removed],
		"%s %s", kind, desired.KeyOf(&object, nil))
	eval := desired.NewEvaluator(e.sync.config(), e.now).In(tx)
	stand := desired.Eligibility{Known: true, InScope: true, Enabled: true}
	if kind == graphsync.User {
		stand = eval.Eligibility(&object, last)
		e.explainEligibility(eval, x, &object, &stand)
	} else {
		why, in, problem := eval.GroupInScope(&object)
		stand.InScope, stand.Why, stand.Problem = in, why, problem
		x.because("scope", yesOrNo(in), "%s", why+problem)
	}
	x.InScope = stand.InScope && stand.Problem == ""
	if next := eval.Next(&object); !next.IsZero() && (kind == graphsync.Group || stand.Assigned != "") {
		a := announcement{config: e.sync.config(), tx: tx, now: e.now, zone: cmp.Or(e.sync.Zone, time.UTC)}
		if then, changes := a.evaluateAt(next, state.PendingKey{Kind: kind, ID: id}); changes {
			x.because("date", yesOrNo(then.InScope), "a date changes the verdict of the scoping filter at %s", then.At.Format(time.RFC3339))
		}
	}
	if m := e.sync.rules(kind).Mapping; m != nil {
		e.explainAttributes(eval, x, &object, &stand, m, last)
	}
	switch {
	case !linked:
		x.because("account", "none", "no account is linked")
	case link.Active:
		x.because("account", "active", "%s since %s", link.TargetID, link.Since.Format(time.RFC3339))
	default:
		x.because("account", "inactive", "%s: %s", link.TargetID, link.Cause)
	}
	e.explainDecided(tx, x, links.Object{Kind: kind, ID: id})
	e.explainOpen(tx, x, kind, id)
	return nil
}

func (x *Explanation) because(step, result, format string, args ...any) {
	x.Because = append(x.Because, Reason{Step: step, Result: result, Detail: fmt.Sprintf(format, args...)})
}

func yesOrNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// explainEligibility explains assignment, roles and scope.
func (e *explainer) explainEligibility(eval *desired.Evaluator, x *Explanation, user *state.Object, stand *desired.Eligibility) {
	if !e.sync.Scope.All {
		switch {
		case stand.Assigned == "":
			x.because("assignment", "no", "%s", stand.Why)
		case stand.Via.IsZero():
			x.because("assignment", "direct", "%s", stand.Assigned)
		default:
			x.because("group", "member", "%s", eval.Group(stand.Via).Name)
			x.because("assignment", "group", "%s", stand.Assigned)
		}
	}
	for _, role := range stand.Roles {
		x.because("role", "granted", "%s (%s)", role.Value, role.Name)
	}
	for _, note := range stand.Notes {
		x.because("role", "ignored", "%s", note)
	}
	if stand.Unconfirmed {
		x.because("assignment", "unconfirmed", "the access, or one of the roles, comes from an assignment that Graph's last list lacked: it keeps what there is and grants nothing new until the next cycle")
	}
	switch {
	case stand.Problem != "":
		x.because("scope", "unclear", "the scoping filter cannot judge it: %s", stand.Problem)
	case stand.InScope && stand.Disabled:
		x.because("scope", "disabled", "the user is disabled in Entra (accountEnabled is false)")
	case stand.InScope && !stand.Enabled:
		x.because("scope", "unclear", "Graph did not say whether the user is enabled")
	default:
		x.because("scope", yesOrNo(stand.InScope), "%s", stand.Why)
	}
}

// explainAttributes tells how each value comes about and what was last applied.
func (e *explainer) explainAttributes(eval *desired.Evaluator, x *Explanation, object *state.Object, stand *desired.Eligibility, m *mapping.Mapping, link *state.Link) {
	result := eval.Evaluate(object, stand, m, link == nil)
	for _, d := range result.Attributes {
		path := d.Attribute.Path.String()
		a := ExplainedAttribute{Attribute: path, Expression: d.Attribute.Expression(), Value: d.Value}
		if link != nil {
			if raw, ok := link.Applied[path]; ok {
				var applied any
				if json.Unmarshal(raw, &applied) == nil {
					a.Applied = applied
				}
			}
			if d.Attribute.OnCreateOnly() {
				a.Note = "written when the account is created, never again"
			}
		}
		if d.Attribute.Redact {
			if a.Value != nil {
				a.Value = desired.Redacted
			}
			if a.Applied != nil {
				a.Applied = desired.Redacted
			}
		} else if d.Attribute.Volatile() {
			a.Value = desired.Generated
		}
		x.Attributes = append(x.Attributes, a)
	}
	if result.Problem != nil {
		x.because("mapping", "problem", "%s (%s)", result.Problem.Message, result.Problem.Code)
	}
	if result.IgnoreObject {
		x.because("mapping", "ignored", "an expression of the mapping says to ignore this object")
	}
}

// explainDecided tells what operators decided about the link.
func (e *explainer) explainDecided(tx *state.Tx, x *Explanation, of links.Object) {
	table := links.In(tx, e.sync.Name)
	if pin := table.Pin(of); pin != nil {
		x.Pinned = decisionOf(pin)
		x.because("pin", "pinned", "nothing changes this account until it is unpinned: %s", pinWords(pin))
	}
	for broken := range table.BrokenOf(of) {
		x.because("link", "broken", "the link to %s was broken%s", broken.Account, broken.Words())
	}
	if choice := table.Choice(of); choice != nil && (x.Link == nil || x.Link.TargetID != choice.Account) {
		x.because("link", "chosen", "account %s was chosen%s and is linked by the next cycle, unless a guard holds it", choice.Account, choice.Words())
	}
}

// explainOpen tells what is still to be done, and what went wrong.
func (e *explainer) explainOpen(tx *state.Tx, x *Explanation, kind graphsync.Kind, id graphsync.ID) {
	key := state.PendingKey{Kind: kind, ID: id}
	if tx.Pending(e.sync.Name).Everything() {
		x.Pending = append(x.Pending, "everybody is evaluated in the next cycle")
	}
	for pending := range tx.Pending(e.sync.Name).All(state.PendingKey{}) {
		if pending == key {
			x.Pending = append(x.Pending, "changed since the last cycle, or held")
			break
		}
	}
	for _, p := range []plan.Phase{plan.LeavePhase, plan.PhaseOf(kind)} {
		raw := tx.Space(e.sync.Name, plan.HeldSpace).Get(plan.Key{Phase: p, ID: id}.Bytes())
		if raw == nil {
			continue
		}
		if a, err := plan.DecodeAction(raw); err == nil && a.Held != nil && a.Kind == kind {
			x.Pending = append(x.Pending, fmt.Sprintf("%s is held by guard %s: %s", a.Op, a.Held.Guard, a.Held.Cause))
		}
	}
	for _, p := range []plan.Phase{plan.LeavePhase, plan.PhaseOf(kind)} {
		raw := tx.Space(e.sync.Name, plan.RejectedSpace).Get(plan.Key{Phase: p, ID: id}.Bytes())
		if raw == nil {
			continue
		}
		if a, err := plan.DecodeAction(raw); err == nil && a.Rejected != nil && a.Kind == kind {
			x.Pending = append(x.Pending, fmt.Sprintf("%s (%s) was rejected%s: it is not done until the source changes", a.Op, a.Why, a.Rejected.Words()))
		}
	}
	if retry, ok := tx.Retries(e.sync.Name).Get(key); ok {
		x.LastOutcome = &ExplainedOutcome{Op: retry.Op, Code: retry.Code, Message: retry.Message, RetryAt: &retry.Next}
		if retry.Skipped {
			x.LastOutcome.Op, x.LastOutcome.RetryAt = "skip", nil
		}
	}
}
