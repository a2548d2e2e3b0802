package main

import "slices"

// What operators decide about links.
var linking = slices.Concat(
	in("reconcile/pinned.go",
		fault{"HND1", "a pinned account is changed", `return p.dropAction(tx, place, &a, pin)`, `return nil`},
		fault{"HND2", "the memberships of a pinned user change", `return pin != nil
		})`, `return false
		})`},
		fault{"HND4", "the account of a pinned user is taken over by another user", `return p.accounts[pinnedAccount{a.Kind, *a.TargetID}]`, `return nil`},
		fault{"HND5", "a pinned leaver is kept without a report", `return p.skip(tx, plan.Skipped{Kind: a.Kind`, `_ = plan.Skipped{}
	return nil
	return p.skip(tx, plan.Skipped{Kind: a.Kind`},
	),
	in("reconcile/decidedlinks.go",
		fault{"HND6", "a link that was broken is made again by the same rule", `v.hold = guard.Hold(guard.BrokenLink, brokenLinkCause)`, `return`},
	),
	in("reconcile/apply.go",
		fault{"HND3", "what is pinned during a cycle is changed by it", `pin := pins.of(s.Action)`, `pin := (*links.Record)(nil)`},
	),
	in("reconcile/evaluate.go",
		fault{"HND7", "another account is made where the chosen one is gone", `return matchResult{code: "account_missing", why:`, `return matchResult{why:`},
	),
	in("reconcile/linkchanges.go",
		fault{"HND8", "an account is chosen that is another's", `if verdict.code != "" {`, `if false {`},
		fault{"HND9", "an account is chosen for two users", `if other.Account == chosen.Account && other.Object != of`, `if false && other.Object != of`},
		fault{"HND10", "an account is chosen for a user who left", `if !active {`, `if false {`},
		fault{"HND11", "an account whose link is broken stays claimed", `return broken, s.release(of, broken.Account)`, `return broken, nil`},
		fault{"HND12", "a pinned user's link is broken", `		table := links.In(tx, s.Sync.Name)
		if pin := table.Pin(of); pin != nil {`, `		table := links.In(tx, s.Sync.Name)
		if pin := table.Pin(of); false {`},
	),
	in("reconcile/orphanplan.go",
		fault{"HND13", "an account whose link was broken is removed as an orphan", `o.Account) != nil {
		return nil // an operator`, `o.Account) == nil && false {
		return nil // an operator`},
	),
)
