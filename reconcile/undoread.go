package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/links"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/undo"
	"entrasync/state"
	"entrasync/target"
)

// An undoReading is what reading the account of one planned action came to.
type undoReading struct {
	shown *target.Resource // nil: it was not read
	drop  string           // why nothing is done to it
	code  string
	hold  *plan.StoredHold
}

// read looks at the accounts and groups that the plan changes. What is not as it was left by what is undone was changed
// in the application since, and is left alone. Where the application shows no account by its id, what was last written
// is all that is known.
func (u *undoer) read(ctx context.Context) error {
	for _, phase := range []plan.Phase{plan.LeavePhase, plan.UserPhase, plan.GroupPhase} {
		err := u.plans.Actions(phase, func(keys [][]byte, actions []plan.StoredAction) error {
			found := make([]undoReading, len(actions))
			group, gctx := errgroup.WithContext(ctx)
			group.SetLimit(u.workers)
			for i := range actions {
				group.Go(func() (err error) {
					found[i], err = u.readOne(gctx, &actions[i])
					return err
				})
			}
			if err := group.Wait(); err != nil {
				return err
			}
			return u.tenant.Update(func(tx *state.Tx) error {
				for i := range actions {
					if err := u.compare(tx, keys[i], &actions[i], &found[i]); err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *undoer) readOne(ctx context.Context, a *plan.StoredAction) (found undoReading, err error) {
	getter, ok := u.matching.target.(target.Getter)
	if !ok {
		if a.Op == plan.Adopt {
			found.code, found.drop = cannotUndoCode, "the target cannot show an account by its id, so that it cannot be verified before it is linked"
		}
		return found, nil
	}
	shown, err := getter.Get(ctx, target.Ref{Kind: targetKind(a.Kind), ID: *a.TargetID})
	var failure *target.Error
	switch {
	case err == nil:
		found.shown = shown
	case target.CodeOf(err) == target.NotFound && a.Op == plan.Reactivate: // some hide accounts that are off
		return found, nil
	case target.CodeOf(err) == target.NotFound && a.Op == plan.Delete: // by an undo that was interrupted, or by hand: its link goes
		return found, nil
	case target.CodeOf(err) == target.NotFound:
		found.code, found.drop = changedSinceCode, fmt.Sprintf("account %s is gone from the target", *a.TargetID)
		return found, nil
	case ctx.Err() == nil && errors.As(err, &failure) && !failure.Code.Stops() && failure.Code != target.Unavailable:
		found.code, found.drop = codeOf(err), err.Error()
		return found, nil
	default:
		return found, fmt.Errorf("read account %s of target %s: %w", *a.TargetID, u.sync.TargetName, err)
	}
	if a.Op != plan.Adopt {
		return found, nil
	}
	m, err := u.matching.newMatcher(a.Kind)
	if err != nil {
		return found, err
	}
	verdict, err := m.evaluateFound(ctx, a, idPath, *a.TargetID, shown)
	if err == nil {
		err = verdict.retry
	}
	found.code, found.drop, found.hold = verdict.code, verdict.why, verdict.hold
	return found, err
}

// compare takes out of an action what has changed in the application since.
func (u *undoer) compare(tx *state.Tx, place []byte, a *plan.StoredAction, found *undoReading) error {
	of := links.Object{Kind: a.Kind, ID: a.SourceID}
	drop := func(code, why string) error {
		u.ledger.planned(a.Kind, a.Op, -1)
		return errors.Join(plan.In(tx, u.sync.Name).Delete(place), u.leave(tx, of, a.Key, code, why))
	}
	switch {
	case found.drop != "":
		return drop(found.code, found.drop)
	case found.shown == nil:
		return nil
	}
	if link, linked, err := tx.Links(u.sync.Name).Get(of.Kind, of.ID); err != nil {
		return err
	} else if linked && identityIn(tx, u.sync, u.now, &link, found.shown, nil) == desired.Foreign {
		return drop(changedSinceCode, fmt.Sprintf("account %s is another one in the target now", *a.TargetID))
	}
	rules := u.sync.rules(a.Kind)
	var left []string
	a.Changes = slices.DeleteFunc(slices.Clone(a.Changes), func(change plan.Change) bool {
		if showsStill(rules, &change, found.shown) {
			return false
		}
		left = append(left, change.Attribute+" has changed in the application since")
		return true
	})
	for _, why := range left {
		if err := u.leave(tx, of, a.Key, changedSinceCode, why); err != nil {
			return err
		}
	}
	a.Notes = append(a.Notes, left...)
	was := a.Op
	if a.Op == plan.Reactivate || a.Op == plan.Deactivate {
		if !slices.ContainsFunc(a.Changes, isActive) {
			a.Op = plan.Update
		}
	}
	if len(a.Changes) == 0 && a.Op != plan.Unlink && a.Op != plan.Adopt && a.Op != plan.Delete {
		u.ledger.planned(a.Kind, was, -1)
		return plan.In(tx, u.sync.Name).Delete(place)
	}
	if was != a.Op {
		u.ledger.planned(a.Kind, was, -1)
		u.ledger.planned(a.Kind, a.Op, 1)
	}
	if a.Op == plan.Adopt {
		a.Held, a.Match = found.hold, matchValues(rules, found.shown)
	}
	if a.Kind == graphsync.User && a.Held == nil && a.Op != plan.Deactivate && a.Op != plan.Delete {
		a.Held = u.claimed(tx, a)
	}
	a.Seen = true
	return plan.In(tx, u.sync.Name).Put(place, a)
}

func isActive(change plan.Change) bool { return strings.EqualFold(change.Attribute, "active") }

// claimed holds an address that is not provably the tenant's.
func (u *undoer) claimed(tx *state.Tx, a *plan.StoredAction) *plan.StoredHold {
	object, known := tx.Objects().Get(a.Kind, a.SourceID)
	return u.sync.Guard.Claims(a.Changes, nil, known && desired.IsGuest(&object))
}

// showsStill reports whether an account shows the value that a change replaces, or does not show the attribute.
func showsStill(rules *desired.Rules, change *plan.Change, shown *target.Resource) bool {
	if isActive(*change) {
		active, told := activity(shown)
		return !told || active == isTrue(change.Old)
	}
	path, err := target.ParsePath(change.Attribute)
	if err != nil {
		return true
	}
	mapped, value := mappedTo(rules, change.Attribute), shown.Value(path)
	if mapped != nil {
		value = mapped.Own(value)
	}
	if value == nil {
		return true // it is empty, or hidden
	}
	old := plainNumbers(change.Old)
	return undo.Same(value, old) || path.Same(value, old) || mapped != nil && (mapped.Equal(old, value) || path.Judge(old, value) == target.Respelled)
}

// matchValues are the matching values that an account shows.
func matchValues(rules *desired.Rules, shown *target.Resource) []string {
	values := make([]string, len(rules.Match))
	for i, text := range rules.Match {
		if path, err := target.ParsePath(text); err == nil {
			values[i], _ = shown.Value(path).(string)
		}
	}
	return values
}

// mappedTo is the mapped attribute of a path, nil when none is.
func mappedTo(rules *desired.Rules, attribute string) *mapping.Attribute {
	path, err := target.ParsePath(attribute)
	if err != nil || rules.Mapping == nil {
		return nil
	}
	return desired.MappedAt(rules, path)
}

// isRedacted reports whether the values of an attribute are hidden.
func isRedacted(rules *desired.Rules, attribute string) bool {
	mapped := mappedTo(rules, attribute)
	return mapped != nil && mapped.Redact
}

// plainNumbers gives numbers that were read from JSON the type that adapters expect.
func plainNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plainNumbers(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name := range v {
			out[name] = plainNumbers(v[name])
		}
		return out
	}
	return value
}

// reviewUndo lets pass what the operator who asked for an undo approved.
func (r *reviewer) reviewUndo(name string) bool {
	return r.opts.Undo != nil && slices.Contains(r.opts.Undo.Approve, name)
}
