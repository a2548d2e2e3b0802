package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// checkResponse decides whether the response to a write is about the account that was written. A
// target whose ids follow the userName answers a rename with another id: moved is that id when the
// externalId proves that the account is the same (RFC 7643, section 3.1, forbids it).
func checkResponse(a *plan.Action, known *desired.Account, rules *desired.Rules, ref target.Ref, response *target.Resource) (moved string, err error) {
	sameID := strings.EqualFold(response.ID, ref.ID)
	switch {
	case sameID && known.Evaluate(response) != desired.Foreign:
		return "", nil
	case !sameID && known.CarriesExternalID(response):
		return response.ID, nil
	}
	return "", identityError(a.Op, a.Kind, "the target answered about another account than %s: %s, with %s; nothing was recorded, and the account is read by the next cycle",
		ref.ID, target.Clean(response.ID), desired.Describe(a.Kind, rules, response))
}

// confirms reports whether a response shows other values than those that were replaced.
func confirms(replaced []state.MatchKey, response *target.Resource) bool {
	for _, key := range replaced {
		path, err := target.ParsePath(key.Attribute)
		if err != nil || response == nil {
			return false
		}
		shown := desired.ShownTexts(response.Value(path))
		if len(shown) == 0 || desired.ContainsFold(shown, key.Value) {
			return false
		}
	}
	return len(replaced) > 0
}

// refuseOtherAccount fails a creation whose response is about another account: nothing is linked.
func (x *executor) refuseOtherAccount(a *plan.StoredAction, done *result, resource *target.Resource) {
	whose := ""
	owner, owned, err := x.store.Accounts().OwnerOf(x.sync.application(), resource.ID, a.Kind)
	if err == nil && owned {
		done.doubt = owner
		whose = ", which is " + x.owners.Describe(owner)
	}
	done.err = &target.Error{Code: identityMismatch, Op: string(a.Op) + " " + a.Kind.String(), Indeterminate: true, // one may have been made: the next cycle looks
		Message: fmt.Sprintf("the target answered with another account: %s, with %s%s; nothing was linked", target.Clean(resource.ID), desired.Describe(a.Kind, x.sync.rules(a.Kind), resource), whose)}
}

// unlink carries out what was decided about a link whose account is another one, or has another
// id. Nothing is written to the application.
func (x *executor) unlink(ctx context.Context, a *plan.StoredAction, done *result) {
	switch {
	case a.Undo:
		x.undoAdoption(ctx, a, done)
	case a.MovesTo != "":
		var link *state.Link
		if link, done.err = x.links.linkOf(a); done.err == nil {
			if a.Approved { // it is theirs although its externalId does not say so
				maps.DeleteFunc(link.Applied, func(name string, _ json.RawMessage) bool { return strings.EqualFold(name, "externalId") })
			}
			done.link = link
			x.takeShown(ctx, link, a.MovesTo)
			done.err = x.links.moveLink(done, a.MovesTo)
		}
	case a.Gone || a.Approved:
		done.drop = true
	default:
		done.drop = true
		done.err = identityError(a.Op, a.Kind, "%s: nothing was written to it, the link was dropped, and the account of %s is looked for by its matching attributes", a.Why, a.Key)
	}
}

// undoAdoption gives an account back what it had before it was adopted, and drops the link to it.
func (x *executor) undoAdoption(ctx context.Context, a *plan.StoredAction, done *result) {
	if len(a.Changes) > 0 {
		before := *a
		before.Op = plan.Update
		if x.write(ctx, &before, done, false); done.err != nil {
			return
		}
	} else if _, done.err = x.links.linkOf(a); done.err != nil {
		return
	}
	done.link, done.drop = nil, true
}

// takeShown brings a link that moves to another account to what that account is: its values may
// be others than those written to the former one. Where it cannot be read, only the values by which
// it is known are kept, so that the next change writes the others.
func (x *executor) takeShown(ctx context.Context, link *state.Link, id string) {
	rules := x.sync.rules(link.Kind)
	if getter, ok := x.target.(target.Getter); ok {
		if shown, err := getter.Get(ctx, target.Ref{Kind: targetKind(link.Kind), ID: id}); err == nil && desired.KnownAccount(link, rules).Evaluate(shown) == desired.Ours {
			updateShown(rules, x.now, link, shown)
			return
		}
	}
	paths := desired.IdentityPaths(link.Kind, rules)
	maps.DeleteFunc(link.Applied, func(name string, _ json.RawMessage) bool {
		return !slices.ContainsFunc(paths, func(path target.Path) bool { return strings.EqualFold(path.String(), name) })
	})
}

// deactivateSuccessor is for an account that was deleted between reading and writing, or that
// cannot be read: no user counts as removed while another account of theirs is active.
func (x *executor) deactivateSuccessor(ctx context.Context, a *plan.StoredAction, link *state.Link, done *result) {
	next, err := x.successors.find(ctx, link, a.Op)
	switch {
	case err != nil:
		done.err = err
	case next == nil:
		done.drop = true
	default:
		done.err = identityError(a.Op, a.Kind, "account %s is gone, but account %s is active, with %s: the next cycle decides about it", link.TargetID, next.TargetID, next.Shown)
		done.mismatch = &mismatch{TargetID: link.TargetID, Gone: true, Run: x.runID, Successor: next}
	}
}
