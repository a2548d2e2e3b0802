// Package reconcile decides what an application's accounts should be and makes them so.
//
// [Syncer.Run] is the whole of it: pull the directory into the snapshot, draft a plan from
// the snapshot and the links, match people who have no link with accounts that exist, review
// the plan, apply it, record what happened. It is the only package that knows both the
// directory (graphsync) and the application (target).
//
// It decides on levels, not on edges: what an account should be is computed from the snapshot
// as it stands and compared with what was last applied. The set of pending keys only narrows
// the work, so that a later cycle plans a failed action again.
//
// It promises: no one is removed because of an error or an unproven absence; only accounts
// this sync created or adopted are changed, and only in the attributes it maps; one bad record
// never stops the rest; the same input gives the same plan, and after it is applied the next
// plan is empty; memory does not grow with the directory.
package reconcile
