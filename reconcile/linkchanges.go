package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/links"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// Events of the audit log about links that operators change.
const (
	linkBrokenEvent = "link_broken"
	linkSetEvent    = "link_set"
	pinnedEvent     = "pinned"
	unpinnedEvent   = "unpinned"
)

// Reasons for which a change of a link is refused. Errors wrap them.
var (
	ErrNotLinked = errors.New("no account is linked")
	ErrPinned    = errors.New("pinned")
	ErrNotPinned = errors.New("it is not pinned")
	ErrRefused   = errors.New("the account cannot be linked")
)

// BreakLink drops the link of an object to its account and returns the record of it. The account is not touched, and no
// longer owned by the sync. A matching rule links the same account again only with an approval (guard broken_link). Where
// no account is linked yet, the choice of one is dropped instead. It must not run during a cycle of the tenant.
func (s *Syncer) BreakLink(kind graphsync.Kind, id graphsync.ID, by plan.Decision) (links.Record, error) {
	of := links.Object{Kind: kind, ID: id}
	var broken links.Record
	err := s.Tenant.Update(func(tx *state.Tx) error {
		table := links.In(tx, s.Sync.Name)
		if pin := table.Pin(of); pin != nil {
			return fmt.Errorf("%s is %w%s", pin.Key, ErrPinned, pin.Words())
		}
		link, linked, err := tx.Links(s.Sync.Name).Get(kind, id)
		if err != nil {
			return err
		}
		if choice := table.Choice(of); choice != nil {
			broken = links.Record{Object: of, Decision: by, Key: choice.Key, Account: choice.Account}
			if err := table.DeleteChoice(of); err != nil || !linked {
				return errors.Join(err, auditLink(tx, s.Sync, linkBrokenEvent, broken, choice.Account, ""))
			}
		}
		if !linked {
			return ErrNotLinked
		}
		broken, err = s.breakLink(tx, &link, by)
		return err
	})
	switch {
	case errors.Is(err, ErrNotLinked):
		return broken, errors.Join(err, s.releaseBroken(of)) // one that ended before it had released the account
	case err != nil:
		return broken, err
	}
	return broken, s.release(of, broken.Account)
}

// breakLink drops a link within a transaction. The account is to be released after it.
func (s *Syncer) breakLink(tx *state.Tx, link *state.Link, by plan.Decision) (links.Record, error) {
	of := links.Object{Kind: link.Kind, ID: link.Source}
	broken := links.Record{Object: of, Decision: by, Key: link.Key, Account: link.TargetID}
	memberships := membershipsOf(tx, s.Sync.Name, of)
	out := records{tx: tx, sync: s.Sync.Name}
	if err := out.forgetLink(of.Kind, of.ID); err != nil {
		return broken, err
	}
	if err := out.deleteIntent(of.Kind, of.ID); err != nil { // what came of it is no longer looked into: it was this account
		return broken, err
	}
	if err := links.In(tx, s.Sync.Name).PutBroken(broken); err != nil {
		return broken, err
	}
	if err := pendAll(tx, s.Sync.Name, of, memberships); err != nil {
		return broken, err
	}
	return broken, auditLink(tx, s.Sync, linkBrokenEvent, broken, link.TargetID, "")
}

// membershipsOf are the memberships of an object, as the directory has them or as they were written.
func membershipsOf(tx *state.Tx, sync string, of links.Object) (keys []state.PendingKey) {
	if of.Kind == graphsync.User {
		for group := range tx.Members().GroupsOf(of.ID) {
			if _, linked, err := tx.Links(sync).Get(graphsync.Group, group); err == nil && linked {
				keys = append(keys, state.Membership(group, of.ID))
			}
		}
		return keys
	}
	for member := range tx.Members().Of(of.ID) {
		if member.Kind == graphsync.User {
			keys = append(keys, state.Membership(of.ID, member.ID))
		}
	}
	for member := range tx.AppliedMembers(sync).Of(of.ID) {
		keys = append(keys, state.Membership(of.ID, member))
	}
	return keys
}

// pendAll has an object and its memberships looked at by the next cycle.
func pendAll(tx *state.Tx, sync string, of links.Object, memberships []state.PendingKey) error {
	for _, key := range append([]state.PendingKey{{Kind: of.Kind, ID: of.ID}}, memberships...) {
		if err := tx.Pending(sync).Add(key); err != nil {
			return err
		}
	}
	return nil
}

// release gives up the claim on an account.
func (s *Syncer) release(of links.Object, account string) error {
	owner := state.Owner{Tenant: s.Sync.Tenant, Sync: s.Sync.Name, Kind: of.Kind, Source: of.ID}
	if err := s.Store.Accounts().Release(s.Sync.application(), account, owner); err != nil {
		return fmt.Errorf("the link is broken, but account %s could not be released: %w", account, err)
	}
	return nil
}

// releaseBroken gives up the claims on the accounts whose links were broken.
func (s *Syncer) releaseBroken(of links.Object) error {
	var accounts []string
	err := s.Tenant.View(func(tx *state.Tx) error {
		for broken := range links.In(tx, s.Sync.Name).BrokenOf(of) {
			accounts = append(accounts, broken.Account)
		}
		return nil
	})
	for _, account := range accounts {
		err = errors.Join(err, s.release(of, account))
	}
	return err
}

// SetLink chooses the account that an object is linked to. It is read first, and refused when it does not exist, is
// protected, or belongs to another user, sync or tenant. A link to another account is broken. The account itself is not
// touched: the next cycle of the sync, or one on demand for this object, plans its adoption, which guards review.
// It must not run during a cycle of the tenant.
func (s *Syncer) SetLink(ctx context.Context, kind graphsync.Kind, id graphsync.ID, account string, by plan.Decision) (chosen links.Record, linked bool, err error) {
	of := links.Object{Kind: kind, ID: id}
	chosen = links.Record{Object: of, Decision: by, Account: account}
	var before state.Link
	err = s.Tenant.View(func(tx *state.Tx) error {
		if before, linked, err = tx.Links(s.Sync.Name).Get(kind, id); err != nil {
			return err
		}
		chosen.Key, err = s.mayBeLinked(tx, of, &before, linked)
		return err
	})
	if err != nil || linked && before.TargetID == account {
		return chosen, linked, err
	}
	if chosen.Account, err = s.verifyChoice(ctx, of, account); err != nil {
		return chosen, false, err
	}
	err = s.Tenant.Update(func(tx *state.Tx) error {
		table := links.In(tx, s.Sync.Name)
		for other := range table.Choices() {
			if other.Account == chosen.Account && other.Object != of && other.Object.Kind == kind {
				return fmt.Errorf("%w: account %s was chosen for %s%s; drop that choice first", ErrRefused, chosen.Account, other.Key, other.Words())
			}
		}
		if linked {
			if _, err := s.breakLink(tx, &before, by); err != nil {
				return err
			}
		}
		if err := errors.Join(table.DeleteBroken(of, chosen.Account), table.PutChoice(chosen), tx.Pending(s.Sync.Name).Add(state.PendingKey{Kind: kind, ID: id})); err != nil {
			return err
		}
		return auditLink(tx, s.Sync, linkSetEvent, chosen, before.TargetID, chosen.Account)
	})
	if err != nil || !linked {
		return chosen, false, err
	}
	return chosen, false, s.release(of, before.TargetID)
}

// mayBeLinked reports, in an error, why an object is given no account, and returns what to call it.
func (s *Syncer) mayBeLinked(tx *state.Tx, of links.Object, link *state.Link, linked bool) (string, error) {
	if pin := links.In(tx, s.Sync.Name).Pin(of); pin != nil {
		return pin.Key, fmt.Errorf("%s is %w%s", pin.Key, ErrPinned, pin.Words())
	}
	object, known := tx.Objects().Get(of.Kind, of.ID)
	if !linked {
		link = nil
	}
	name := desired.KeyOf(&object, link)
	eval := desired.NewEvaluator(s.Sync.config(), s.Now().UTC()).In(tx)
	why, active := "", false
	switch {
	case !known:
		why = "the directory does not have it"
	case of.Kind == graphsync.Group:
		var problem string
		why, active, problem = eval.GroupInScope(&object)
		why += problem
	default:
		stand := eval.Eligibility(&object, link)
		why, active = cmp.Or(stand.Problem, stand.Why), stand.Active() && stand.Problem == ""
	}
	if !active {
		return name, fmt.Errorf("%w: %s %s has no right to one (%s)", ErrRefused, of.Kind, name, why)
	}
	return name, nil
}

// verifyChoice reads an account and reports, in an error, why it cannot be that of an object. It returns the account's
// id as the application writes it.
func (s *Syncer) verifyChoice(ctx context.Context, of links.Object, account string) (string, error) {
	getter, ok := s.Target.(target.Getter)
	if !ok {
		return "", fmt.Errorf("%w: target %s cannot show an account by its id, so that it cannot be verified", ErrRefused, s.Sync.TargetName)
	}
	shown, err := getter.Get(ctx, target.Ref{Kind: targetKind(of.Kind), ID: account})
	switch {
	case target.CodeOf(err) == target.NotFound:
		return "", fmt.Errorf("%w: target %s has no %s %s", ErrRefused, s.Sync.TargetName, resourceWord(of.Kind), account)
	case err != nil:
		return "", fmt.Errorf("read %s %s of target %s: %w", resourceWord(of.Kind), account, s.Sync.TargetName, err)
	case shown.ID != account:
		return "", fmt.Errorf("%w: target %s has no %s %s, but one with the id %s", ErrRefused, s.Sync.TargetName, resourceWord(of.Kind), account, shown.ID)
	}
	m, err := s.newCycle(Options{}).matching.newMatcher(of.Kind)
	if err != nil {
		return "", err
	}
	verdict, err := m.evaluateFound(ctx, &plan.StoredAction{Action: plan.Action{Kind: of.Kind, SourceID: of.ID}}, idPath, account, shown)
	if err = cmp.Or(err, verdict.retry); err != nil {
		return "", err
	}
	if verdict.code != "" {
		return "", fmt.Errorf("%w: %s (%s)", ErrRefused, verdict.why, verdict.code)
	}
	return shown.ID, nil
}

// auditLink reports a change of a link by an operator, with the accounts before and after it; "" for none.
func auditLink(tx *state.Tx, sync *Sync, event string, r links.Record, before, after string) error {
	text := func(id string) any {
		if id == "" {
			return nil
		}
		return id
	}
	about := struct {
		Kind     graphsync.Kind `json:"kind"`
		SourceID graphsync.ID   `json:"source_id"`
		TargetID string         `json:"target_id,omitempty"`
		Key      string         `json:"key"`
		Changes  []plan.Change  `json:"changes,omitempty"`
		Reason   string         `json:"reason,omitempty"`
	}{r.Object.Kind, r.Object.ID, cmp.Or(after, before), r.Key, nil, r.Reason}
	if before != after {
		about.Changes = []plan.Change{{Attribute: "link", Old: text(before), New: text(after)}}
	}
	return tx.Audit().Append(state.AuditEntry{
		At: r.At, Event: event, Result: outcomeDone, Sync: sync.Name, Tenant: sync.Tenant,
		Actor: state.Actor{Kind: cmp.Or(r.Via, state.ActorCommand), Name: r.By}, About: plan.Encode(&about), Objects: slices.Clone([]graphsync.ID{r.Object.ID}),
	})
}
