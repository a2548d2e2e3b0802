package reconcile

import (
	"context"
	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/links"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
	"errors"
	"fmt"
	"strings"
)

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

// lookAtChosen evaluates the account that an operator chose. No other one is looked for, and none is created: the
// choice stands until it is fulfilled, replaced or dropped.
func (m *matcher) lookAtChosen(ctx context.Context, a *plan.StoredAction, choice *links.Record) (matchResult, error) {
	getter, ok := m.target.(target.Getter)
	if !ok {
		return matchResult{code: string(target.Unsupported), why: "the target cannot show an account by its id, so that the chosen one cannot be verified"}, nil
	}
	shown, err := getter.Get(ctx, target.Ref{Kind: targetKind(m.kind), ID: choice.Account})
	switch {
	case target.CodeOf(err) == target.NotFound:
		return matchResult{code: "account_missing", why: fmt.Sprintf("account %s, which was chosen%s, does not exist in the target", choice.Account, choice.Words())}, nil
	case err != nil && (ctx.Err() != nil || hopeless(m.kind, err)):
		return matchResult{}, fmt.Errorf("read account %s of target %s: %w", choice.Account, m.sync.TargetName, err)
	case err != nil:
		return matchResult{retry: err}, nil
	}
	v, err := m.evaluateFound(ctx, a, idPath, choice.Account, shown)
	if v.adopt != nil {
		v.note = joinNotes(v.note, "the account was chosen"+choice.Words())
	}
	return v, err
}

// idPath is where an account has its id.
var idPath = func() target.Path {
	path, err := target.ParsePath("id")
	if err != nil {
		panic(err) // it is a constant
	}
	return path
}()

func joinNotes(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
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
