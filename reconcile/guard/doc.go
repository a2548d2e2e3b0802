// Package guard is what limits a cycle: how much of a kind it may do without an approval, which accounts
// a tenant can prove to be its own, and what people decided about actions that are held.
//
// It drafts nothing and applies nothing; package reconcile counts what a plan would do and asks here. It
// reads and writes the state within a transaction that it is given.
//
// It promises that a guard only holds: it neither adds to a plan nor changes an action. A decision is
// bound to the effect that was shown (see [Decision] and package plan): an approval covers no more than
// that, and a rejection lasts until the action is no longer due, the rejection expires or is taken back.
package guard
