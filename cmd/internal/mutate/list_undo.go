package main

import "slices"

// Putting back what was changed.
var undoing = slices.Concat(
	in("reconcile/undoing.go",
		fault{"UND1", "an undo overwrites what a later run changed", `case v.Later || !equal(v.After):`, `case false:`},
		fault{"UND3", "an undo changes a membership that has changed since", `	case m.Later:
		return u.leave(`, `	case false:
		return u.leave(`},
		fault{"UND4", "an undo switches on what a later run switched off", `case v.Later || link.Active != after:`, `case false && link.Active != after:`},
		fault{"UND5", "an action that failed counts as done", `case c.Failed != "":`, `case false:`},
		fault{"UND6", "redacted values are written as the word that hides them", `case desired.MadeOnApply(v.Before), desired.MadeOnApply(v.After), isRedacted(rules, attribute):`, `case false:`},
		fault{"UND15", "what an adopted account had and the application hid is cleared", `case c.Adopted && v.Before == nil && hidden(attribute):`, `case false:`},
		fault{"UND7", "an undo writes to another application than the one that was changed", `u.info.Location.ID != "" && (u.info.Moving ||`, `false && (u.info.Moving ||`},
		fault{"UND8", "an undo changes pinned accounts", `		c.pins.leave,                // accounts that operators pinned → left alone
`, ``},
		fault{"UND9", "an undo passes the guards", `		c.guards.review,             // guards hold back
`, ``},
	),
	in("reconcile/undoread.go",
		fault{"UND10", "an undo overwrites what was changed in the application", `if showsStill(rules, &change, found.shown) {`, `if true {`},
		fault{"UND11", "an undo writes to an account that is another one now", `} else if linked && identityIn(`, `} else if linked && false && identityIn(`},
		fault{"UND12", "an account that is another's is linked again", `found.code, found.drop, found.hold = verdict.code, verdict.why, verdict.hold`, `_ = verdict`},
	),
	in("reconcile/undorecord.go",
		fault{"UND13", "an adoption that was undone is made again by the next cycle", `if err := links.In(tx, r.sync.Name).PutBroken(`, `if err := links.In(tx, "none").PutBroken(`},
		fault{"UND14", "what was put back stays so until a complete compare, whatever the directory says", `if err := tx.Pending(r.sync.Name).Add(key); err != nil {`, `if err := error(nil); err != nil {`},
	),
	in("reconcile/undomembers.go",
		fault{"UND20", "a membership that an interrupted undo was writing is taken for written", `in == m.Before && applied != unsure {`, `in == m.Before {`},
	),
	in("reconcile/recover.go",
		fault{"UND21", "what an interrupted run had not carried out is in the audit log as done", `len(changes) > 0 || op == plan.Create || op == plan.Adopt { // otherwise`, `true || op == "" { // otherwise`},
	),
)
