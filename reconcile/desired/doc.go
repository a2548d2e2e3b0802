// Package desired works out what should be in the application: who is in scope and why, and which
// attributes their accounts should have. It also tells whether an account that the application shows is
// the one that a link says it is, by the same attributes.
//
// It reads the snapshot and the links within a transaction it is given, and nothing else: it asks
// neither Graph nor an application, except through the function that answers whether a value is taken.
// It changes nothing and plans nothing: see package reconcile for what follows from its results.
//
// It promises that what cannot be decided is never a reason to remove a user: a filter that cannot judge a
// value gives a problem, an assignment that Graph's last list lacked keeps what exists and grants nothing
// new (see [Eligibility]), and an account that shows no known attribute is neither ours nor foreign.
package desired
