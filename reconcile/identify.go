package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// heldProbe is how many links that wait for an answer are read again in a cycle: enough to notice
// that the right application is back, without reading thousands of accounts every half an hour.
const heldProbe = 20

// identify reads the accounts that a plan removes, brings back, or gives another name or address,
// one request each, and links that did not fit before. Links to other accounts are dropped or
// held, see resolveMismatches. Everything else costs no request.
func (i *identifier) identify(ctx context.Context) error {
	if getter, ok := i.target.(target.Getter); ok {
		i.get = getter
		if err := i.again(ctx); err != nil {
			return err
		}
		for _, p := range []plan.Phase{plan.LeavePhase, plan.UserPhase, plan.GroupPhase} {
			err := i.plans.Actions(p, func(keys [][]byte, actions []plan.StoredAction) error { return i.planned(ctx, keys, actions) })
			if err != nil {
				return err
			}
		}
	}
	return i.resolveMismatches(ctx)
}

// gets reports whether the application shows an account by its id.
func gets(application target.Adapter) bool {
	_, gets := application.(target.Getter)
	return gets
}

// An identifier reads linked accounts to see whose they are.
type identifier struct {
	sync       *Sync
	opts       Options
	runID      string
	now        time.Time
	workers    int
	store      *state.Store
	tenant     *state.Tenant
	target     target.Adapter
	eval       *desired.Evaluator
	info       *state.SyncInfo
	breaker    *breaker
	ledger     *ledger
	findings   *findings
	plans      *plan.Store
	owners     *ownership.Accounts
	lastHolds  *holdHistory
	protector  *protector
	successors *successorFinder
	get        target.Getter
}

// A reading is what reading one account came to: nothing when it is the linked one, or cannot be
// told from it.
type reading struct {
	link      state.Link
	mismatch  *mismatch
	protected bool
	unseen    error // why it could not be read
}

// read asks for the account of a link that op is to be done to; "" for nothing yet. Its error ends
// the cycle.
func (i *identifier) read(ctx context.Context, link state.Link, op plan.Op, also []state.MatchKey) (reading, error) {
	found := reading{link: link}
	shown, err := i.get.Get(ctx, target.Ref{Kind: targetKind(link.Kind), ID: link.TargetID})
	var failure *target.Error
	switch {
	case i.breaker.open(ctx, err):
		return found, &breakerOpenError{target: i.sync.TargetName, last: err}
	case err == nil:
		if link.Kind == graphsync.User && i.sync.Scope.Protects(shown) {
			found.protected = true
			return found, nil
		}
		verdict := desired.Ours
		err := i.tenant.View(func(tx *state.Tx) error { verdict = identityIn(tx, i.sync, i.now, &link, shown, also); return nil })
		if err != nil || verdict != desired.Foreign {
			return found, err
		}
		found.mismatch = &mismatch{TargetID: link.TargetID, Shown: desired.Describe(link.Kind, i.sync.rules(link.Kind), shown), Run: i.runID}
	case ctx.Err() != nil || !errors.As(err, &failure) || failure.Code.Stops():
		return found, fmt.Errorf("read account %s of target %s: %w", link.TargetID, i.sync.TargetName, err)
	case failure.Code == target.NotFound:
		if op != "" && !(op.Removes() && link.Kind == graphsync.User) {
			return found, nil // the write will say so
		}
		found.mismatch = &mismatch{TargetID: link.TargetID, Gone: true, Run: i.runID}
	case failure.Code == target.Unsupported:
		return found, nil // this application shows no account by its id
	default:
		found.unseen = err
		return found, nil
	}
	if !op.Removes() || link.Kind != graphsync.User {
		return found, nil
	}
	found.mismatch.Successor, err = i.successors.find(ctx, &link, op)
	if err != nil && (ctx.Err() != nil || target.CodeOf(err).Stops()) || errors.As(err, new(*breakerOpenError)) {
		return found, err
	}
	if err != nil {
		found.mismatch, found.unseen = nil, err
	} else if found.mismatch.Gone && found.mismatch.Successor == nil {
		found.mismatch = nil // there is no account to remove
	}
	return found, nil
}

// planned reads the accounts of those of some actions that change by what an account is known.
func (i *identifier) planned(ctx context.Context, keys [][]byte, actions []plan.StoredAction) error {
	due := make([]bool, len(actions))
	links := make([]state.Link, len(actions))
	err := i.tenant.View(func(tx *state.Tx) error {
		mismatches := tx.Space(i.sync.Name, plan.MismatchSpace)
		for n := range actions {
			a := &actions[n]
			if a.Seen || a.TargetID == nil || !desired.ChangesIdentity(&a.Action, i.sync.rules(a.Kind)) || mismatches.Has(plan.LinkKey(a.Kind, a.SourceID)) || i.staysHeld(tx, keys[n], a) {
				continue
			}
			link, linked, err := tx.Links(i.sync.Name).Get(a.Kind, a.SourceID)
			if err != nil {
				return err
			}
			due[n], links[n] = linked && link.TargetID == *a.TargetID, link
		}
		return nil
	})
	if err != nil {
		return err
	}
	found := make([]reading, len(actions))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(i.workers)
	for n := range actions {
		if due[n] {
			group.Go(func() (err error) {
				found[n], err = i.read(gctx, links[n], actions[n].Op, desired.IdentityChanges(&actions[n].Action))
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return i.tenant.Update(func(tx *state.Tx) error {
		for n := range actions {
			if !due[n] {
				continue
			}
			if err := i.note(tx, keys[n], &actions[n], &found[n]); err != nil {
				return err
			}
		}
		return nil
	})
}

// note stores what reading the account of a planned action came to.
func (i *identifier) note(tx *state.Tx, key []byte, a *plan.StoredAction, found *reading) error {
	switch {
	case found.mismatch != nil:
		return i.opts.records(tx, i.sync).putMismatch(&found.link, found.mismatch)
	case found.protected || found.unseen != nil:
		return i.protector.dropInspected(tx, key, a, inspection{protected: found.protected, unseen: found.unseen})
	}
	a.Seen = true
	return plan.In(tx, i.sync.Name).Put(key, a)
}

// identifyGroups reads the groups whose members a plan changes, one request each. A group that is
// another one now keeps its members: its link is dropped or held, and the next cycle matches it.
func (i *identifier) identifyGroups(ctx context.Context) error {
	getter, ok := i.target.(target.Getter)
	if !ok || !i.sync.Groups.Enabled {
		return nil
	}
	i.get = getter
	var last graphsync.ID
	return i.plans.Actions(plan.MemberPhase, func(keys [][]byte, actions []plan.StoredAction) error {
		var links []state.Link
		err := i.tenant.View(func(tx *state.Tx) error {
			for n := range actions {
				a := &actions[n]
				if a.SourceID == last || a.TargetID == nil || i.staysHeld(tx, keys[n], a) {
					continue
				}
				last = a.SourceID
				planned, err := plan.In(tx, i.sync.Name).Get(plan.Key{Phase: plan.GroupPhase, ID: a.SourceID}.Bytes())
				if err != nil {
					return err
				}
				if planned != nil && (planned.Seen || planned.Op == plan.Adopt) { // read already, or made in this plan
					continue
				}
				link, linked, blocked, err := plan.PlannedLink(tx, i.sync.Name, graphsync.Group, a.SourceID)
				if err != nil {
					return err
				}
				if linked && !blocked && link.TargetID == *a.TargetID {
					links = append(links, link)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		found := make([]reading, len(links))
		group, gctx := errgroup.WithContext(ctx)
		group.SetLimit(i.workers)
		for n := range links {
			group.Go(func() (err error) {
				found[n], err = i.read(gctx, links[n], plan.Members, nil)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		return i.tenant.Update(func(tx *state.Tx) error {
			for n := range found {
				if f := &found[n]; f.mismatch != nil || f.unseen != nil {
					if err := i.dropProtectedGroup(tx, f); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
}

// dropProtectedGroup takes the changes of a group's members out of the plan.
func (i *identifier) dropProtectedGroup(tx *state.Tx, found *reading) error {
	link := &found.link
	planned := plan.In(tx, i.sync.Name)
	prefix := append([]byte{byte(plan.MemberPhase)}, link.Source[:]...)
	var keys [][]byte
	for key := range planned.Below(prefix) {
		keys = append(keys, append([]byte(nil), key...))
	}
	key := state.PendingKey{Kind: graphsync.Group, ID: link.Source}
	for _, k := range keys {
		i.ledger.planned(graphsync.Group, plan.Members, -1)
		if err := planned.Delete(k); err != nil {
			return err
		}
	}
	if i.opts.Apply {
		if err := requeue(tx, i.sync.Name, key); err != nil {
			return err
		}
	}
	if found.unseen != nil {
		a := plan.StoredAction{Action: plan.Action{Op: plan.Members, Kind: graphsync.Group, SourceID: link.Source, Key: link.Key}}
		if !i.opts.Apply {
			return i.ledger.skip(tx, plan.Skipped{Kind: graphsync.Group, SourceID: link.Source, Key: link.Key, Code: codeOf(found.unseen), Why: found.unseen.Error()})
		}
		i.ledger.attempt()
		i.ledger.fail(tx, key, &a, found.unseen)
		return nil
	}
	if err := i.opts.records(tx, i.sync).putMismatch(link, found.mismatch); err != nil {
		return err
	}
	users, _ := tx.Links(i.sync.Name).Count(graphsync.User)
	groups, _ := tx.Links(i.sync.Name).Count(graphsync.Group)
	r := resolver{sync: i.sync, opts: i.opts, now: i.now, eval: i.eval, info: i.info, ledger: i.ledger, findings: i.findings, owners: i.owners, lastHolds: i.lastHolds, linked: users + groups, foreign: tx.Space(i.sync.Name, plan.MismatchSpace).Count()}
	unlink := plan.StoredAction{Action: plan.Action{Op: plan.Unlink, Kind: graphsync.Group, SourceID: link.Source, TargetID: &link.TargetID, Key: link.Key, Why: found.mismatch.why(), Cause: causeMismatch}}
	held, let := r.held(tx, &unlink, found.mismatch)
	if held {
		return r.hold(tx, &unlink)
	}
	unlink.Approved = let
	i.ledger.planned(graphsync.Group, plan.Unlink, 1)
	return planned.Put(plan.UnlinkKey(graphsync.Group, link.Source), &unlink)
}

// staysHeld reports whether an action was held by the last plan and still waits: it is not about
// to be carried out.
func (i *identifier) staysHeld(tx *state.Tx, key []byte, a *plan.StoredAction) bool {
	before, _ := i.lastHolds.before(tx, key, a)
	return before != "" && guard.DecisionsIn(tx, i.sync.Name).At(key) == nil
}
