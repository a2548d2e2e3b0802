package reconcile

import (
	"errors"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/undo"
	"entrasync/state"
)

// Options say what kind of run it is. The zero value is a dry incremental run.
type Options struct {
	Apply      bool
	Full       bool      // read everything again and evaluate everybody
	Scheduled  bool      // not asked for by a person: a sync in quarantine waits
	NoRefresh  bool      // plan from the snapshot alone, without a Graph call
	Drift      bool      // compare everything with what the application holds, without reading the directory again
	Removals   bool      // only what takes access away or gives it back; the rest stays pending. Not with Full or Subject
	WasRead    bool      // of a removals cycle: another one of the tenant has just read the directory
	AccessRead time.Time // of a removals cycle: when the last one that ran to its end began to read; zero: not known
	Subject    *Subject  // only this object
	Expect     *Document // apply only if exactly this plan comes out

	Undo *undo.Request // of [Syncer.Undo]: what is put back
	Pin  string        // of [Syncer.Undo]: the reason for which what is put back is pinned; "": it is not

	Actor state.Actor // who started the run, for the audit log; zero: the service
}

// partial reports whether the cycle looks at a part, or at a what-if: its holds are shown, and
// those of the whole stay as they are.
func (o *Options) partial() bool { return o.NoRefresh || o.Subject != nil || o.Undo != nil }

// heldSpace is the space of what the plan holds.
func (o *Options) heldSpace() string {
	if o.partial() {
		return plan.PartHeldSpace
	}
	return plan.HeldSpace
}

// rejectedSpace is the space of what is due and was rejected.
func (o *Options) rejectedSpace() string {
	if o.partial() {
		return plan.PartRejectedSpace
	}
	return plan.RejectedSpace
}

// A Subject names one object for provision on demand: an object id, a user principal name, an
// address, or a group's display name.
type Subject struct {
	Kind graphsync.Kind
	Key  string
	// MemberOf names a group that the user has to be a member of, "" for none. Where members of nested groups count, one
	// of a nested group is.
	MemberOf string
}

// ErrPlanMoved means that source, target links or mapping moved since the plan was made.
var ErrPlanMoved = errors.New("the plan no longer fits")

// ErrNotMember means that a user who was named as a member of a group is not.
var ErrNotMember = errors.New("not a member of the group")

// ErrUnknownSubject means that the directory has no object of that name.
var ErrUnknownSubject = errors.New("not found in the directory")
