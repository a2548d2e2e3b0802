package reconcile

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// listThreshold is from how many unlinked objects on the application is listed once instead of
// being asked about each of them.
const listThreshold = 50

// matchChunk is how many provisional creates are matched between two commits.
const matchChunk = 200

// matching looks for accounts of people without a link.
type matching struct {
	sync    *Sync
	apply   bool // not a dry run
	now     time.Time
	workers int
	store   *state.Store
	tenant  *state.Tenant
	target  target.Adapter
	eval    *desired.Evaluator
	breaker *breaker
	ledger  *ledger
	owners  *ownership.Accounts
}

// match looks for accounts of people who have no link: by filter when they are few compared with the
// accounts there are, in a list read once when they are many and the application can be listed. A
// provisional create becomes an adoption, or is skipped when the account is ambiguous, protected or
// another user's.
func (mt *matching) match(ctx context.Context) error {
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		creates, err := mt.countCreates(kind)
		if err != nil {
			return err
		}
		if creates == 0 {
			continue
		}
		m, err := mt.newMatcher(kind)
		if err != nil {
			return err
		}
		if lister, ok := mt.target.(target.Lister); ok && creates >= listThreshold && !mt.larger(ctx, kind, creates*listWorth) {
			listed, err := m.list(ctx, lister, creates*listWorth)
			if err != nil {
				return err
			}
			if listed {
				m.find, m.listed = m.lookUp, true
			}
		}
		if err := m.matchAll(ctx, creates); err != nil {
			return err
		}
		if err := m.clearList(); err != nil {
			return err
		}
	}
	return nil
}

// larger reports whether the application says that it has more resources of a kind than are worth a list. An
// application that does not say is listed as far as that is worth.
func (mt *matching) larger(ctx context.Context, kind graphsync.Kind, worth int) bool {
	sized, ok := mt.target.(target.Sized)
	if !ok {
		return false
	}
	n, known, err := sized.Size(ctx, targetKind(kind))
	return err == nil && known && n > worth
}

// countCreates counts provisional creates of a kind.
func (mt *matching) countCreates(kind graphsync.Kind) (n int, err error) {
	err = mt.tenant.View(func(tx *state.Tx) error {
		for _, raw := range plan.In(tx, mt.sync.Name).Below([]byte{byte(plan.PhaseOf(kind))}) {
			if plan.OpOf(raw) == plan.Create {
				n++
			}
		}
		return nil
	})
	return n, err
}

// A matcher finds existing resources of one kind.
type matcher struct {
	sync    *Sync
	apply   bool // not a dry run
	workers int
	store   *state.Store
	tenant  *state.Tenant
	target  target.Adapter
	eval    *desired.Evaluator
	breaker *breaker
	ledger  *ledger
	owners  *ownership.Accounts
	kind    graphsync.Kind
	rules   *desired.Rules
	paths   []target.Path
	find    func(ctx context.Context, by target.Path, value string) ([]target.Resource, error)

	listed bool                              // find asks the list that was read before
	found  map[soughtValue][]target.Resource // there, for the actions of the present chunk

	adopted map[string]graphsync.ID // target ids taken in this plan
	decided decidedLinks

	now      time.Time
	removals map[string][]byte // see orphanRemovals; nil until an account is adopted
}

func (mt *matching) newMatcher(kind graphsync.Kind) (*matcher, error) {
	m := &matcher{sync: mt.sync, apply: mt.apply, workers: mt.workers, store: mt.store, tenant: mt.tenant, target: mt.target, eval: mt.eval, breaker: mt.breaker, ledger: mt.ledger, owners: mt.owners, kind: kind, rules: mt.sync.rules(kind), now: mt.now, adopted: map[string]graphsync.ID{}}
	m.find = m.ask
	var err error
	if m.decided, err = decidedLinksOf(mt.tenant, mt.sync.Name); err != nil {
		return nil, err
	}
	for _, text := range m.rules.Match {
		path, err := target.ParsePath(text)
		if err != nil {
			return nil, fmt.Errorf("matching attribute %s: %w", text, err)
		}
		m.paths = append(m.paths, path)
	}
	return m, nil
}

// ask finds by a filter request.
func (m *matcher) ask(ctx context.Context, by target.Path, value string) ([]target.Resource, error) {
	return m.target.Find(ctx, targetKind(m.kind), by, value)
}

// matchAll matches every provisional create, concurrently within a chunk.
func (m *matcher) matchAll(ctx context.Context, total int) error {
	var after []byte
	for done := 0; ; {
		var keys [][]byte
		var actions []plan.StoredAction
		err := m.tenant.View(func(tx *state.Tx) error {
			prefix := byte(plan.PhaseOf(m.kind))
			if after == nil {
				after = []byte{prefix}
			}
			for key, raw := range plan.In(tx, m.sync.Name).From(after) {
				if key[0] != prefix || len(keys) == matchChunk {
					break
				}
				after = append([]byte(nil), key...)
				a, err := plan.DecodeAction(raw)
				if err != nil {
					return err
				}
				if a.Op == plan.Create {
					keys, actions = append(keys, after), append(actions, a)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return nil
		}
		if m.listed {
			if err := m.lookUpAhead(actions); err != nil {
				return err
			}
		}
		results := make([]matchResult, len(actions))
		group, gctx := errgroup.WithContext(ctx)
		group.SetLimit(m.workers)
		for i := range actions {
			group.Go(func() (err error) {
				results[i], err = m.evaluate(gctx, &actions[i])
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if err := m.recordResults(keys, actions, results); err != nil {
			return err
		}
		done += len(keys)
		m.ledger.reportProgress("matching", done, total)
	}
}

// assign decides who adopts a resource that several people of one chunk matched: the user whose id it
// carries, else the first in the order of the plan.
func (m *matcher) assign(actions []plan.StoredAction, results []matchResult) {
	for _, byID := range []bool{true, false} {
		for i := range results {
			v := &results[i]
			if v.adopt == nil || v.byID != byID {
				continue
			}
			if other, taken := m.adopted[v.adopt.ID]; taken {
				*v = matchResult{code: "duplicate_target", why: fmt.Sprintf("the account that fits (%s) is taken by %s %s in the same plan", v.adopt.ID, m.kind, other)}
				continue
			}
			m.adopted[v.adopt.ID] = actions[i].SourceID
		}
	}
}

// recordResults turns provisional creates into what matching found.
func (m *matcher) recordResults(keys [][]byte, actions []plan.StoredAction, results []matchResult) error {
	m.assign(actions, results)
	return m.tenant.Update(func(tx *state.Tx) error {
		planned := plan.In(tx, m.sync.Name)
		for i, v := range results {
			a := &actions[i]
			switch {
			case v.adopt != nil:
				if err := m.adopt(tx, a, v); err != nil {
					return err
				}
				if err := planned.Put(keys[i], a); err != nil {
					return err
				}
				if err := m.keepAdopted(tx, planned, keys[i], a); err != nil {
					return err
				}
			case v.code != "" || v.retry != nil:
				m.ledger.planned(m.kind, plan.Create, -1)
				if err := planned.Delete(keys[i]); err != nil {
					return err
				}
				if !v.doubt.Source.IsZero() && m.apply {
					if err := markForCheck(tx, m.sync.Tenant, v.doubt); err != nil {
						return err
					}
				}
				if v.retry != nil && m.apply {
					m.ledger.fail(tx, state.PendingKey{Kind: a.Kind, ID: a.SourceID}, a, v.retry)
					continue
				}
				if v.retry != nil {
					v.code, v.why = string(target.CodeOf(v.retry)), v.retry.Error()
				}
				if err := m.ledger.skip(tx, plan.Skipped{Kind: a.Kind, SourceID: a.SourceID, Key: a.Key, Code: v.code, Why: v.why}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// adopt rewrites a provisional create into taking over an existing resource: only what differs
// is written, and nothing that is set on creation only.
func (m *matcher) adopt(tx *state.Tx, a *plan.StoredAction, v matchResult) error {
	r := v.adopt
	want, err := m.eval.DesireIn(tx, m.kind, a.SourceID, false)
	if err != nil {
		return err
	}
	m.ledger.planned(m.kind, plan.Create, -1)
	m.ledger.planned(m.kind, plan.Adopt, 1)
	a.Op, a.TargetID = plan.Adopt, &r.ID
	a.Changes = desired.ResourceChanges(m.rules.Mapping, want.Attributes, r)
	if m.kind == graphsync.User && inactive(r) {
		a.Changes = desired.WithActive(a.Changes, false, true)
	}
	a.Why += "; an account exists and is adopted"
	a.Held, a.Former, a.FormerOwner = v.hold, v.former, v.formerOwner
	if m.kind == graphsync.User {
		a.Rights = rightsOf(m.sync.Guard.Administrators, r, a.Changes, want.Attributes)
	}
	if object, known := tx.Objects().Get(m.kind, a.SourceID); known && a.Held == nil && m.kind == graphsync.User {
		a.Held = m.sync.Guard.Claims(a.Changes, want.Attributes, desired.IsGuest(&object))
	}
	if v.note != "" {
		a.Notes = append(a.Notes, v.note)
	}
	return m.current(tx, a, v.members)
}
