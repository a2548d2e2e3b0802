package reconcile

import (
	"context"
	"fmt"

	"entrasync/reconcile/guard"
	"entrasync/reconcile/links"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// brokenLinkCause groups the holds of guard broken_link.
const brokenLinkCause = "accounts whose link to this user was broken by an operator"

// decidedLinks are what operators decided about the links of a sync, as matching needs it. There are few.
type decidedLinks struct {
	choices map[links.Object]links.Record
	broken  map[brokenLink]bool
}

type brokenLink struct {
	object  links.Object
	account string
}

func decidedLinksOf(tenant *state.Tenant, sync string) (d decidedLinks, err error) {
	d = decidedLinks{choices: map[links.Object]links.Record{}, broken: map[brokenLink]bool{}}
	err = tenant.View(func(tx *state.Tx) error {
		for choice := range links.In(tx, sync).Choices() {
			d.choices[choice.Object] = choice
		}
		for broken := range links.In(tx, sync).AllBroken() {
			d.broken[brokenLink{broken.Object, broken.Account}] = true
		}
		return nil
	})
	return d, err
}

// lookAtChosen evaluates the account that an operator chose. No other one is looked for, and none is created: the
// choice stands until it is fulfilled, replaced or dropped.
func (m *matcher) lookAtChosen(ctx context.Context, a *plan.StoredAction, choice *links.Record) (matchResult, error) {
	getter, ok := m.target.(target.Getter)
	if !ok {
		return matchResult{code: string(target.Unsupported), why: "the target cannot show an account by its id, so that the chosen one cannot be verified"}, nil
	}
	shown, err := getter.Get(ctx, target.Ref{Kind: targetKind(m.kind), ID: choice.Account})
	switch {
	case target.CodeOf(err) == target.NotFound:
		return matchResult{code: "account_missing", why: fmt.Sprintf("account %s, which was chosen%s, does not exist in the target", choice.Account, choice.Words())}, nil
	case err != nil && (ctx.Err() != nil || hopeless(m.kind, err)):
		return matchResult{}, fmt.Errorf("read account %s of target %s: %w", choice.Account, m.sync.TargetName, err)
	case err != nil:
		return matchResult{retry: err}, nil
	}
	v, err := m.evaluateFound(ctx, a, idPath, choice.Account, shown)
	if v.adopt != nil {
		v.note = joinNotes(v.note, "the account was chosen"+choice.Words())
	}
	return v, err
}

// idPath is where an account has its id.
var idPath = func() target.Path {
	path, err := target.ParsePath("id")
	if err != nil {
		panic(err) // it is a constant
	}
	return path
}()

func joinNotes(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// holdBroken holds the adoption of an account whose link to the same user an operator broke: a matching rule alone does
// not make it again.
func (m *matcher) holdBroken(a *plan.StoredAction, v *matchResult) {
	if v.adopt == nil || v.hold != nil || !m.decided.broken[brokenLink{links.Object{Kind: a.Kind, ID: a.SourceID}, v.adopt.ID}] {
		return
	}
	v.hold = guard.Hold(guard.BrokenLink, brokenLinkCause)
}
