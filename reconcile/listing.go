package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// clearList empties the scratch space of the list: it is as large as the application, and what
// it holds is of no use after the cycle's own look at it.
func (m *matcher) clearList() error {
	return m.tenant.Update(func(tx *state.Tx) error {
		if err := tx.Space(m.sync.Name, listingSpace).Clear(); err != nil {
			return err
		}
		return tx.Space(m.sync.Name, indexSpace).Clear()
	})
}

// list reads the application once into scratch space, indexed by the matching attributes, unless
// it has more accounts than that is worth. Only what matches a user in the plan is kept, and of what
// another sync keeps nothing but the id: an application of many tenants is not copied into the
// file of each. Values of redacted attributes are left out: they are in no state file, and an
// adopted account gets them written again.
func (m *matcher) list(ctx context.Context, lister target.Lister, worth int) (complete bool, err error) {
	if err := m.clearList(); err != nil {
		return false, err
	}
	read := 0
	err = lister.List(ctx, targetKind(m.kind), func(page []target.Resource) error {
		if read += len(page); read > worth {
			return errStop
		}
		m.ledger.reportProgress("matching", read, 0)
		return m.tenant.Update(func(tx *state.Tx) error {
			for i := range page {
				if err := m.keepFitting(tx, &page[i]); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if errors.Is(err, errStop) {
		return false, m.clearList()
	}
	if err != nil {
		return false, fmt.Errorf("list the %ss of target %s: %w", m.kind, m.sync.TargetName, err)
	}
	return true, nil
}

// keepFitting keeps a listed account if a user in the plan has one of its matching values.
func (m *matcher) keepFitting(tx *state.Tx, r *target.Resource) error {
	index := tx.Space(m.sync.Name, indexSpace)
	fits := false
	for i, path := range m.paths {
		value, ok := r.Value(path).(string)
		if !ok || value == "" {
			continue
		}
		wanted, err := isWanted(tx, m.sync.Name, m.kind, m.rules.Match, m.rules.Match[i], value)
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		fits = true
		if err := index.Put(indexKey(path, value, r.ID), []byte(r.ID)); err != nil {
			return err
		}
	}
	if !fits {
		return nil
	}
	owner, owned, err := m.store.Accounts().OwnerOf(m.sync.application(), r.ID, m.kind)
	if err != nil {
		return err
	}
	if owned && (owner.Tenant != m.sync.Tenant || owner.Sync != m.sync.Name) {
		_, transferable, err := m.owners.Transferable(owner, r.ID)
		if err != nil {
			return err
		}
		if !transferable {
			r = &target.Resource{Ref: r.Ref}
		}
	}
	for _, attribute := range m.rules.Mapping.Attributes() {
		if attribute.Redact && r.Attributes != nil {
			attribute.Path.Set(r.Attributes, nil)
		}
	}
	return tx.Space(m.sync.Name, listingSpace).Put([]byte(r.ID), plan.Encode(r))
}

// A soughtValue is what one search in the list is for: the accounts with a value in a matching attribute.
type soughtValue struct{ path, value string }

// lookUpAhead finds in the list read before what some actions look for, in one transaction: a database is asked once where
// it would be asked for each action. Like [matcher.lookAt] it tries the matching attributes of an action in order and stops at
// the first that yields a match.
func (m *matcher) lookUpAhead(actions []plan.StoredAction) error {
	m.found = make(map[soughtValue][]target.Resource, len(actions))
	return m.tenant.View(func(tx *state.Tx) error {
		empty := true
		for range tx.Space(m.sync.Name, indexSpace).All(nil) {
			empty = false
			break
		}
		for i := range actions {
			for at, path := range m.paths {
				value := actions[i].Match[at]
				if value == "" {
					continue
				}
				var found []target.Resource
				if !empty {
					var err error
					if found, err = m.listedIn(tx, path, value); err != nil {
						return err
					}
				}
				if m.found[soughtValue{path.String(), value}] = found; len(found) > 0 {
					break
				}
			}
		}
		return nil
	})
}

// lookUp finds in the list read before.
func (m *matcher) lookUp(_ context.Context, by target.Path, value string) (found []target.Resource, err error) {
	if found, known := m.found[soughtValue{by.String(), value}]; known {
		return found, nil
	}
	err = m.tenant.View(func(tx *state.Tx) error {
		found, err = m.listedIn(tx, by, value)
		return err
	})
	return found, err
}

func (m *matcher) listedIn(tx *state.Tx, by target.Path, value string) (found []target.Resource, err error) {
	listing := tx.Space(m.sync.Name, listingSpace)
	for _, id := range tx.Space(m.sync.Name, indexSpace).Prefix(indexKey(by, value, "")) {
		var r target.Resource
		if err := json.Unmarshal(listing.Get(id), &r); err != nil {
			return nil, fmt.Errorf("read listed account: %w", err)
		}
		found = append(found, r)
	}
	return found, nil
}
