package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/links"
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
				m.find = m.lookUp
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
		verdicts := make([]matchResult, len(actions))
		group, gctx := errgroup.WithContext(ctx)
		group.SetLimit(m.workers)
		for i := range actions {
			group.Go(func() (err error) {
				verdicts[i], err = m.evaluate(gctx, &actions[i])
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if err := m.recordResults(keys, actions, verdicts); err != nil {
			return err
		}
		done += len(keys)
		m.ledger.reportProgress("matching", done, total)
	}
}

// A matchResult is what matching found for one provisional create.
type matchResult struct {
	code, why string           // skip
	adopt     *target.Resource // take over this resource
	members   []string         // of an adopted group, where the application tells
	hold      *plan.StoredHold // adopting it waits for an answer
	former    graphsync.ID     // whose account it was, when that one is gone for good
	note      string
	byID      bool  // found by externalId: made or adopted by us before
	retry     error // the target failed on this one

	doubt state.Owner // whose link may not fit any more: their account has the externalId looked for

	formerOwner state.Owner // who keeps it in another sync, and lets it go
}

// evaluate tries the matching attributes in order and stops at the first that yields a match. What
// counts is a person and not a look-up: an adapter may answer one of two without a request.
func (m *matcher) evaluate(ctx context.Context, a *plan.StoredAction) (matchResult, error) {
	look := m.lookAt
	if choice, ok := m.decided.choices[links.Object{Kind: a.Kind, ID: a.SourceID}]; ok {
		look = func(ctx context.Context, a *plan.StoredAction) (matchResult, error) {
			return m.lookAtChosen(ctx, a, &choice)
		}
	}
	v, err := look(ctx, a)
	m.holdBroken(a, &v)
	if m.breaker.open(ctx, errors.Join(err, v.retry)) {
		return matchResult{}, &breakerOpenError{target: m.sync.TargetName, last: errors.Join(err, v.retry)}
	}
	return v, err
}

func (m *matcher) lookAt(ctx context.Context, a *plan.StoredAction) (matchResult, error) {
	for i, path := range m.paths {
		value := a.Match[i]
		if value == "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return matchResult{}, err
		}
		found, err := m.find(ctx, path, value)
		if err != nil {
			err = target.Redacted(redactorOf(m.rules.Mapping, []target.Attribute{{Path: path, Value: value}}), err)
			if ctx.Err() != nil || hopeless(m.kind, err) {
				return matchResult{}, fmt.Errorf("look for %s %s in target %s: %w", a.Kind, a.Key, m.sync.TargetName, err)
			}
			return matchResult{retry: err}, nil
		}
		if len(found) > 1 {
			ids := make([]string, 0, len(found))
			for _, r := range found[:min(len(found), 5)] {
				ids = append(ids, r.ID)
			}
			return matchResult{code: ambiguousCode, why: fmt.Sprintf("%d %ss of the target have %s %s (%s): none is taken", len(found), a.Kind, path, shownValue(m.rules.Mapping, path, value), strings.Join(ids, ", "))}, nil
		}
		if len(found) == 1 {
			return m.evaluateFound(ctx, a, path, value, &found[0])
		}
	}
	if !m.rules.May(plan.Create) {
		return matchResult{code: "action_not_allowed", why: "no account exists and create is not among the actions of the sync"}, nil
	}
	return matchResult{}, nil
}

// evaluateFound decides whether the one match, which has the value, may be adopted.
func (m *matcher) evaluateFound(ctx context.Context, a *plan.StoredAction, by target.Path, value string, r *target.Resource) (matchResult, error) {
	if m.kind == graphsync.User && m.sync.Scope.Protects(r) {
		return matchResult{code: "protected", why: fmt.Sprintf("the account with this %s is protected by the configuration", by)}, nil
	}
	creator, making, err := m.creator(a, r, value)
	if err != nil {
		return matchResult{}, err
	}
	owner, owned, err := m.store.Accounts().OwnerOf(m.sync.application(), r.ID, m.kind)
	if err != nil {
		return matchResult{}, err
	}
	if making && !owned {
		return matchResult{code: "duplicate_target", why: fmt.Sprintf("the account with this %s (%s) is being made by sync %s of tenant %s", by, r.ID, creator.Sync, m.store.TenantRecords().NameOf(creator.Tenant))}, nil
	}
	v := matchResult{adopt: r, byID: strings.EqualFold(by.String(), "externalId")}
	switch {
	case !owned || owner == m.owners.Owner(m.kind, a.SourceID):
	case owner.Tenant != m.sync.Tenant || owner.Sync != m.sync.Name:
		cause, transferable, err := m.owners.Transferable(owner, r.ID)
		if err != nil {
			return matchResult{}, err
		}
		if !transferable {
			return matchResult{code: "duplicate_target", why: fmt.Sprintf("the account with this %s (%s) is %s; %s", by, r.ID, m.owners.Describe(owner), m.owners.HowToRelease(owner))}, nil
		}
		v.formerOwner, v.hold = owner, guard.Hold(guard.FormerOwner, cause)
		v.note = fmt.Sprintf("it was the account %s", m.owners.Describe(owner))
	default:
		gone, name, err := m.isFormer(owner)
		if err != nil {
			return matchResult{}, err
		}
		if !gone {
			taken := matchResult{code: "duplicate_target", why: fmt.Sprintf("the account with this %s (%s) is that of %s", by, r.ID, name)}
			if v.byID {
				taken.doubt = owner
			}
			return taken, nil
		}
		v.former, v.hold = owner.Source, guard.Hold(guard.Adoption, "accounts of people who were deleted in Entra")
		v.note = "it was the account of " + name
	}
	if m.kind != graphsync.Group {
		if theirs, ours := textAttribute(r, "externalId"), m.externalID(a); v.hold == nil && !v.byID && theirs != "" && ours != "" && theirs != ours {
			v.hold = guard.Hold(guard.Adoption, "accounts carry the externalId of another user")
			v.note = "its externalId is " + theirs
		}
		if v.hold == nil && !owned && !m.proven(ctx, r, a.SourceID) {
			v.hold = guard.ForeignHold(guard.CauseForeignAccount)
		}
		return v, nil
	}
	switch {
	case v.hold != nil:
	case owned && owner == m.owners.Owner(m.kind, a.SourceID): // set aside while the sync wrote elsewhere
	case v.byID && !m.sync.Guard.HoldGroups:
	case m.sync.Groups.Takeover == desired.TakeoverSkip:
		return matchResult{code: "group_exists", why: "a group of this name exists and takeover is skip"}, nil
	case m.sync.Groups.Takeover == desired.TakeoverHold || m.sync.Guard.HoldGroups:
		v.hold = guard.Hold(guard.Takeover, fmt.Sprintf("a group named %q exists", a.Key))
	}
	if reader, ok := m.target.(target.MemberReader); ok {
		ids, visible, err := reader.Members(ctx, r.Ref)
		if err != nil {
			return matchResult{retry: err}, nil
		}
		if visible {
			v.members = ids
		}
	}
	return v, nil
}

// proven reports whether an account that no sync keeps is provably the tenant's, see
// [Guard.proves]. A search may show less of an account than there is, so it is read by its id; one
// that cannot be read is not proven.
func (m *matcher) proven(ctx context.Context, r *target.Resource, person graphsync.ID) bool {
	guard := &m.sync.Guard
	if getter, reads := m.target.(target.Getter); reads && guard.Domains != nil {
		whole, err := getter.Get(ctx, r.Ref)
		if err != nil {
			return false
		}
		return guard.Proves(r, person) && guard.Proves(whole, person)
	}
	return guard.Proves(r, person)
}

// isFormer reports whether the owner of an account was deleted in the directory, restorable or not,
// and the account is switched off, and names that user.
func (m *matcher) isFormer(owner state.Owner) (gone bool, name string, err error) {
	err = m.tenant.View(func(tx *state.Tx) error {
		object, known := tx.Objects().Get(owner.Kind, owner.Source)
		link, linked, err := tx.Links(m.sync.Name).Get(owner.Kind, owner.Source)
		gone = known && object.Removed != graphsync.NotRemoved && (!linked || !link.Active)
		if name = owner.Source.String(); known {
			name = describeUser(&object, &link)
		}
		return err
	})
	return gone, name, err
}

// externalID is the externalId that an action gives an account, "" when it gives none.
func (m *matcher) externalID(a *plan.StoredAction) string {
	for _, change := range a.Changes {
		if text, ok := change.New.(string); ok && strings.EqualFold(change.Attribute, "externalId") {
			return text
		}
	}
	return ""
}

// assign decides who adopts a resource that several people of one chunk matched: the user whose id it
// carries, else the first in the order of the plan.
func (m *matcher) assign(actions []plan.StoredAction, verdicts []matchResult) {
	for _, byID := range []bool{true, false} {
		for i := range verdicts {
			v := &verdicts[i]
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

// recordResults turns provisional creates into what the verdicts say.
func (m *matcher) recordResults(keys [][]byte, actions []plan.StoredAction, verdicts []matchResult) error {
	m.assign(actions, verdicts)
	return m.tenant.Update(func(tx *state.Tx) error {
		planned := plan.In(tx, m.sync.Name)
		for i, v := range verdicts {
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
