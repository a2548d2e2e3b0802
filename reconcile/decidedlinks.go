package reconcile

import (
	"entrasync/reconcile/guard"
	"entrasync/reconcile/links"
	"entrasync/reconcile/plan"
	"entrasync/state"
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

// holdBroken holds the adoption of an account whose link to the same user an operator broke: a matching rule alone does
// not make it again.
func (m *matcher) holdBroken(a *plan.StoredAction, v *matchResult) {
	if v.adopt == nil || v.hold != nil || !m.decided.broken[brokenLink{links.Object{Kind: a.Kind, ID: a.SourceID}, v.adopt.ID}] {
		return
	}
	v.hold = guard.Hold(guard.BrokenLink, brokenLinkCause)
}
