package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// removeOrphan carries out an approved removal. The account is read before: it must still be the
// one that was shown.
func (x *executor) removeOrphan(ctx context.Context, a *plan.StoredAction, done *result) {
	ref := target.Ref{Kind: target.User, ID: *a.TargetID}
	shown, err := x.shownOrphan(ctx, a, ref)
	if err != nil || shown == nil {
		done.err = err
		return
	}
	if present, err := x.owners.Claim(a, ref.ID); err != nil || present != x.owners.Owner(a.Kind, a.SourceID) {
		if err == nil {
			err = &target.Error{Code: target.Conflict, Op: string(a.Op) + " user", Message: fmt.Sprintf("account %s is %s by now", ref.ID, x.owners.Describe(present))}
		}
		done.err = err
		return
	}
	if a.Op == plan.Delete {
		if done.err = x.target.Delete(ctx, ref); done.err == nil {
			done.err = x.store.Accounts().Release(x.sync.application(), ref.ID, x.owners.Owner(a.Kind, a.SourceID))
			return
		}
		var refusal *target.Error
		if !errors.As(done.err, &refusal) || refusal.Status < 400 || !x.sync.Users.May(plan.Deactivate) {
			return
		}
	}
	if err := x.switchOff(ctx, a, ref, shown, done); err != nil {
		done.err = errors.Join(done.err, err)
	} else if done.err != nil {
		done.off, done.link = done.link, nil
		done.err = fmt.Errorf("%w; the account was switched off instead, and the deletion is tried again", done.err)
	}
}

// shownOrphan reads the account of an orphan's removal; nil when it is gone.
func (x *executor) shownOrphan(ctx context.Context, a *plan.StoredAction, ref target.Ref) (*target.Resource, error) {
	getter, ok := x.target.(target.Getter)
	if !ok {
		return nil, &target.Error{Code: target.Unsupported, Op: "read account", Message: "the target cannot show an account, so that nothing is done to one without a link"}
	}
	shown, err := getter.Get(ctx, ref)
	switch {
	case err != nil && target.CodeOf(err) == target.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case textAttribute(shown, "externalId") != a.External || a.External == "" && nameOf(shown) != a.Key:
		return nil, &target.Error{Code: target.Conflict, Op: string(a.Op) + " user", Message: fmt.Sprintf("account %s is not the one that was shown: it is %s by now", ref.ID, nameOf(shown))}
	}
	return shown, nil
}

// switchOff deactivates an account without a link, and links it to its user, when that one is known
// and has no other account.
func (x *executor) switchOff(ctx context.Context, a *plan.StoredAction, ref target.Ref, shown *target.Resource, done *result) error {
	path, err := target.ParsePath("active")
	if err != nil {
		return err
	}
	asked := []target.Attribute{{Path: path, Value: false}}
	after, err := x.target.Update(ctx, ref, asked)
	done.remarks, err = remarksOf(err)
	if err == nil && after != nil {
		err = verifyActivity(a, after, asked)
	}
	if err = x.seenOff(ctx, a, ref, after, err, done); err != nil {
		return err
	}
	return x.tenant.View(func(tx *state.Tx) error {
		_, known := tx.Objects().Get(a.Kind, a.SourceID)
		_, linked, err := tx.Links(x.sync.Name).Get(a.Kind, a.SourceID)
		if err != nil || !known || linked {
			return err
		}
		done.link = x.links.newLink(&plan.StoredAction{Action: a.Action}, ref.ID, map[string]json.RawMessage{})
		updateShown(&x.sync.Users, x.now, done.link, shown)
		done.link.Applied["active"] = plan.Encode(false)
		done.link.Adopted, done.link.Active, done.link.InactiveSince, done.link.Cause = true, false, x.now, a.Cause
		for _, path := range x.sync.Users.Match {
			if path == "externalId" && a.External != "" {
				done.link.Keys = append(done.link.Keys, desired.MatchKey(path, a.External))
			}
		}
		return nil
	})
}
