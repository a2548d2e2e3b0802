package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// create makes an account. When its answer was lost it is looked for instead of made again. When the
// application says that one exists, the next plan decides about that one: it has to be shown and
// reviewed like any other.
func (x *executor) create(ctx context.Context, a *plan.StoredAction, done *result) {
	attributes, applied, err := x.links.attributes(ctx, a, true)
	if err != nil {
		done.err = err
		return
	}
	done.sent = attributes
	resource, err := x.target.Create(ctx, targetKind(a.Kind), attributes)
	if err == nil && desired.AsPlanned(a, x.sync.rules(a.Kind), applied).Evaluate(resource) == desired.Foreign {
		x.refuseOtherAccount(a, done, resource)
		return
	}
	if err != nil {
		var failure *target.Error
		if !errors.As(err, &failure) || failure.Code != target.Conflict && !failure.Indeterminate {
			done.err = err
			return
		}
		x.recoverCreate(ctx, a, done, failure, err)
		return
	}
	done.link = x.links.newLink(a, resource.ID, applied)
}

// recoverCreate looks for what a create has made without an answer, or for what it has met.
func (x *executor) recoverCreate(ctx context.Context, a *plan.StoredAction, done *result, failure *target.Error, cause error) {
	done.err = cause
	m, err := x.matching.newMatcher(a.Kind)
	if err != nil {
		return
	}
	v, err := m.evaluate(ctx, a)
	switch {
	case err != nil:
		return
	case v.code != "":
		done.doubt = v.doubt
		done.err = &target.Error{Code: target.Conflict, Op: "create " + a.Kind.String(), Message: v.why, Err: cause}
		return
	case v.adopt == nil && v.retry == nil && target.CodeOf(cause) == target.Conflict:
		done.err = hidden(a, cause)
		return
	case v.adopt == nil:
		return
	case !failure.Indeterminate:
		done.err = &target.Error{Code: target.Conflict, Op: "create " + a.Kind.String(), Err: cause,
			Message: fmt.Sprintf("%s exists, which was not there when the plan was made; the next cycle plans whether it is adopted", v.adopt.ID)}
		return
	case v.hold != nil || !m.made(a, v.adopt):
		return // the next cycle looks for it
	}
	// The plan said create; what exists is brought to what was planned.
	adopted := *a
	want, err := x.links.desire(ctx, a.Kind, a.SourceID, false)
	if err != nil {
		done.err = err
		return
	}
	adopted.Op, adopted.TargetID = plan.Adopt, &v.adopt.ID
	adopted.Changes = desired.ResourceChanges(m.rules.Mapping, want.Attributes, v.adopt)
	if a.Kind == graphsync.User && inactive(v.adopt) {
		adopted.Changes = desired.WithActive(adopted.Changes, false, true)
	}
	done.err = nil
	x.write(ctx, &adopted, done, true)
}

// Conflicts with an account that the application does not show.
const (
	hiddenDuplicate target.Code = "duplicate_hidden" // deleted there before, or of another organisation
	otherLogin      target.Code = "other_login"      // it belongs to another way of signing in
)

// hidden is the error of a user whose account exists, says the application, but who is not
// found there. To try again soon is of no use: an operator has to look.
func hidden(a *plan.StoredAction, cause error) error {
	e := &target.Error{Code: hiddenDuplicate, Op: "create " + a.Kind.String(), RetryAfter: 24 * time.Hour, Err: cause,
		Message: "the application says that one exists but does not show it: it may have been deleted there before"}
	var said *target.Error
	if errors.As(cause, &said) {
		e.Status, e.Detail = said.Status, said.Detail
	}
	words := strings.ToLower(e.Detail)
	for _, sign := range []string{"login", "log in", "sign in", "sign-in", "signs in", "google", "identity provider"} {
		if strings.Contains(words, sign) {
			e.Code, e.Message = otherLogin, "the application has the address under another login method"
			break
		}
	}
	return e
}

// write updates an account, or takes it over.
func (x *executor) write(ctx context.Context, a *plan.StoredAction, done *result, adopting bool) {
	ref := target.Ref{Kind: targetKind(a.Kind), ID: *a.TargetID}
	if adopting {
		done.former = a.Former
	}
	if adopting || a.Op == plan.Reactivate { // an account that was given up is taken back
		present, err := x.owners.Claim(a, ref.ID)
		if err == nil && present != x.owners.Owner(a.Kind, a.SourceID) {
			err = &target.Error{Code: target.Conflict, Op: string(a.Op) + " " + a.Kind.String(), Message: fmt.Sprintf("account %s is %s by now", ref.ID, x.owners.Describe(present))}
		}
		if err != nil {
			done.err = err
			return
		}
	}
	var link *state.Link
	if !adopting {
		if link, done.err = x.links.linkOf(a); done.err != nil {
			return
		}
	}
	attributes, applied, err := x.links.attributes(ctx, a, false)
	if err != nil {
		done.err = err
		return
	}
	done.sent = attributes
	moved := ""
	if err = x.showOthers(ctx, a, ref, attributes); err == nil && len(attributes) > 0 {
		var after *target.Resource
		after, err = x.target.Update(ctx, ref, attributes)
		done.remarks, err = remarksOf(err)
		done.partly, done.shown = err != nil && after != nil, after
		if after != nil {
			known, failure := x.links.knownFor(a, link, applied)
			if failure == nil {
				moved, failure = checkResponse(&a.Action, known, x.sync.rules(a.Kind), ref, after)
			}
			if failure != nil {
				done.err = failure
				return
			}
		}
		if err == nil && after != nil {
			err = verifyActivity(a, after, attributes)
		}
		if a.Op == plan.Deactivate {
			err = x.seenOff(ctx, a, ref, after, err, done)
		}
		if link != nil {
			done.formerKeys = replacedKeys(link, &a.Action, x.sync.rules(a.Kind))
			done.confirmed = confirms(done.formerKeys, after)
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, errStillActive):
		done.err = err
		if link, linkErr := x.links.changedLink(a, applied); linkErr == nil {
			done.still = link
		}
		return
	case target.CodeOf(err) == target.NotFound && a.Op == plan.Deactivate && a.Kind == graphsync.User:
		x.deactivateSuccessor(ctx, a, link, done)
		return
	case target.CodeOf(err) == target.NotFound && a.Kind == graphsync.User && link != nil && gets(x.target):
		done.mismatch = &mismatch{TargetID: ref.ID, Gone: true, Run: x.runID}
		done.err = fmt.Errorf("%w; the next cycle looks for the account or creates it again", err)
		return
	case target.CodeOf(err) == target.NotFound:
		done.drop = true
		done.err = fmt.Errorf("%w; the link to %s was dropped and the next cycle looks for the account or creates it again", err, ref.ID)
		return
	default:
		done.err = err
		return
	}
	if adopting {
		done.link = x.links.newLink(a, ref.ID, applied)
		done.link.Adopted = true
		if a.Undo {
			x.takeWhole(ctx, done.link)
		}
		if moved != "" {
			done.err = x.links.moveLink(done, moved)
		}
		return
	}
	if done.link, done.err = x.links.changedLink(a, applied); done.err == nil && moved != "" {
		done.err = x.links.moveLink(done, moved)
	}
}

// takeWhole brings a link that is made again to what its account is: of an undo only what it changes is known. Where the
// account cannot be read now, the next complete compare does.
func (x *executor) takeWhole(ctx context.Context, link *state.Link) {
	getter, ok := x.target.(target.Getter)
	if !ok {
		return
	}
	if shown, err := getter.Get(ctx, target.Ref{Kind: targetKind(link.Kind), ID: link.TargetID}); err == nil {
		updateShown(x.sync.rules(link.Kind), x.now, link, shown)
	}
}

// showOthers reads what must be kept of an account, see keepOthers. One that an application hides
// while it is off is switched on first.
func (x *executor) showOthers(ctx context.Context, a *plan.StoredAction, ref target.Ref, attributes []target.Attribute) error {
	err := x.keepOthers(ctx, a.Kind, ref, attributes)
	if err == nil || a.Op != plan.Reactivate || target.CodeOf(err) != target.NotFound {
		return err
	}
	active, err := target.ParsePath("active")
	if err != nil {
		return err
	}
	if _, err := x.target.Update(ctx, ref, []target.Attribute{{Path: active, Value: true}}); err != nil {
		return err
	}
	return x.keepOthers(ctx, a.Kind, ref, attributes)
}

// keepOthers adds to lists that are shared with others, as those of mapping roles are, what the
// account has there that is not ours.
func (x *executor) keepOthers(ctx context.Context, kind graphsync.Kind, ref target.Ref, attributes []target.Attribute) error {
	for _, mapped := range x.sync.rules(kind).Mapping.Attributes() {
		if !mapped.KeepsOthers() {
			continue
		}
		i := slices.IndexFunc(attributes, func(a target.Attribute) bool { return a.Path.Equal(mapped.Path) })
		if i < 0 {
			continue
		}
		getter, ok := x.target.(target.Getter)
		if !ok {
			return &target.Error{Code: target.Unsupported, Op: "read account", Message: "the target cannot show what mapping roles must leave alone"}
		}
		r, err := getter.Get(ctx, ref)
		if err != nil {
			return err
		}
		attributes[i].Value = mapped.Merge(attributes[i].Value, r.Value(mapped.Path))
	}
	return nil
}

// verifyActivity compares an application's answer with what was asked of an account's activity: a person it
// did not switch off is never counted as done. Of other values the adapter tells.
func verifyActivity(a *plan.StoredAction, after *target.Resource, asked []target.Attribute) error {
	for _, attribute := range asked {
		got := after.Value(attribute.Path)
		if !strings.EqualFold(attribute.Path.String(), "active") || got == nil || attribute.Path.Same(attribute.Value, got) {
			continue // got is nil when the answer does not say
		}
		if a.Op == plan.Deactivate {
			continue // see confirmOff
		}
		return &target.Error{Code: target.Rejected, Op: string(a.Op) + " user",
			Message: fmt.Sprintf("the target answered success but active is still %v", got),
			Hint:    "look at the account in the target: something there keeps it from being switched"}
	}
	return nil
}
