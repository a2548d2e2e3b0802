package reconcile

import (
	"context"
	"fmt"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A successorFinder looks for accounts of the same person under another id.
type successorFinder struct {
	sync    *Sync
	store   *state.Store
	target  target.Adapter
	breaker *breaker
	owners  *ownership.Accounts
}

// find looks for such an account before a leaver counts as removed. It returns
// nil when no account is active, or, for a deletion, none has the externalId.
func (s *successorFinder) find(ctx context.Context, link *state.Link, op plan.Op) (*successor, error) {
	rules := s.sync.rules(link.Kind)
	known := desired.KnownAccount(link, rules)
	var namesake *successor
	for _, path := range desired.IdentityPaths(link.Kind, rules) {
		value := matchingValue(link, rules, path)
		if value == "" {
			continue
		}
		found, err := s.target.Find(ctx, targetKind(link.Kind), path, value)
		switch {
		case s.breaker.open(ctx, err):
			return nil, &breakerOpenError{target: s.sync.TargetName, last: err}
		case err != nil && target.CodeOf(err) == target.Unsupported:
			continue
		case err != nil:
			return nil, fmt.Errorf("look whether a user who left has another account than %s: %w", link.TargetID, err)
		}
		for i := range found {
			r := &found[i]
			free, err := s.mayBeOf(link, r)
			if err != nil {
				return nil, err
			}
			sure := free && known.CarriesExternalID(r)
			switch {
			case !free, inactive(r) && !(sure && op == plan.Delete):
			case sure:
				return &successor{TargetID: r.ID, Sure: true, Shown: desired.Describe(link.Kind, rules, r)}, nil
			case namesake == nil:
				namesake = &successor{TargetID: r.ID, Shown: desired.Describe(link.Kind, rules, r)}
			}
		}
	}
	return namesake, nil
}

// mayBeOf reports whether a found account may be that of a link: it is not the linked one, not
// protected, and not another user's here.
func (s *successorFinder) mayBeOf(link *state.Link, r *target.Resource) (bool, error) {
	if r.ID == link.TargetID || link.Kind == graphsync.User && s.sync.Scope.Protects(r) {
		return false, nil
	}
	owner, owned, err := s.store.Accounts().OwnerOf(s.sync.application(), r.ID, link.Kind)
	return !owned || owner == s.owners.Owner(link.Kind, link.Source), err
}
