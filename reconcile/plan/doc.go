// Package plan is what a cycle intends to do to one application: actions with their changes, their
// order, why each is due, and what holds or rejected them; and how they are kept while they wait.
//
// It decides nothing: drafting, matching and guards put actions in, applying takes them out, and none of
// them is known here. It asks neither Graph nor an application.
//
// It promises that a plan of any size is never in memory as a whole (see [Store]); that the order of
// stored actions is the order in which they are applied (see [Key]); and that two actions with the same
// [StoredAction.Effect] do the same to the application, whatever words describe them: a decision is
// bound to the effect that a person was shown.
package plan
