package reconcile

import (
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A mismatch is a link whose account was not found: its id is that of another account now, or of
// none. It is kept until the link is dropped or its account is there again.
type mismatch struct {
	TargetID  string     `json:"target_id"`
	Gone      bool       `json:"gone,omitempty"`
	Shown     string     `json:"shown,omitempty"` // by what the account under the id is known
	Run       string     `json:"run"`             // the cycle that read it
	Unread    bool       `json:"unread,omitempty"`
	Successor *successor `json:"successor,omitempty"`
}

// identityMismatch is the code of a record whose account is another one than the linked one.
const identityMismatch = "identity_mismatch"

func (m *mismatch) why() string {
	if m.Gone {
		return fmt.Sprintf("account %s was deleted in the target", m.TargetID)
	}
	return fmt.Sprintf("account %s is another one now, with %s", m.TargetID, m.Shown)
}

// identityIn judges what was read under the id of a link. also are values that the account may
// have by now, as when the response to a write was lost.
func identityIn(tx *state.Tx, sync *Sync, now time.Time, link *state.Link, shown *target.Resource, also []state.MatchKey) desired.IdentityVerdict {
	a := desired.KnownAccount(link, sync.rules(link.Kind))
	if verdict := a.Evaluate(shown); verdict != desired.Foreign {
		return verdict
	}
	for _, key := range also {
		a.May(key.Attribute, key.Value)
	}
	for _, key := range formerKeys(tx, sync.Name, link) {
		a.May(key.Attribute, key.Value)
	}
	// An application may have changed it to what is due before this sync did, as at a login.
	due, _ := desired.NewEvaluator(sync.config(), now).DesireIn(tx, link.Kind, link.Source, false) // what cannot be evaluated adds nothing
	for _, d := range due.Attributes {
		if d.Value != nil {
			a.MayHave(d.Attribute.Path.String(), desired.Canonical(link.Source, d.Attribute, d.Value))
		}
	}
	return a.Evaluate(shown)
}

// forgetMismatch is for a link that fits, or is no more: there is nothing to decide about it.
func (r records) forgetMismatch(kind graphsync.Kind, id graphsync.ID) error {
	key := plan.UnlinkKey(kind, id)
	if err := r.delete(plan.MismatchSpace, plan.LinkKey(kind, id)); err != nil || r.dry {
		return err
	}
	if err := r.tx.Space(r.sync, plan.RejectedSpace).Delete(key); err != nil {
		return err
	}
	return guard.DecisionsIn(r.tx, r.sync).Delete(key)
}

func (r records) putMismatch(link *state.Link, m *mismatch) error {
	return r.put(plan.MismatchSpace, plan.LinkKey(link.Kind, link.Source), plan.Encode(m))
}

// A successor is an active account with the matching values of a user whose linked account is
// not there any more: applications that are restored, or that make accounts at single sign-on,
// give the same person another id.
type successor struct {
	TargetID string `json:"target_id"`
	Sure     bool   `json:"sure,omitempty"` // it carries the person's externalId
	Shown    string `json:"shown"`
}

// identityError is the error of a record whose account turned out to be another one.
func identityError(op plan.Op, kind graphsync.Kind, format string, args ...any) error {
	return &target.Error{Code: identityMismatch, Op: string(op) + " " + kind.String(), Message: fmt.Sprintf(format, args...)}
}
