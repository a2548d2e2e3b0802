package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// An AccountState is how an account of the application stands to the directory.
type AccountState string

// The states of the contract.
const (
	Linked    AccountState = "linked"    // a sync keeps it
	Adoptable AccountState = "adoptable" // the next cycle would take it over
	Ambiguous AccountState = "ambiguous" // several accounts or several people have the matching value
	NoSource  AccountState = "no_source" // no user in scope has it
)

// An Account is one account of the application, compared with the directory: a line of the
// contract's discover document.
type Account struct {
	TargetID string       `json:"target_id"`
	Key      string       `json:"key"`
	State    AccountState `json:"state"`
	// SourceID is the person it belongs to, or would; with NoSource a user of the directory
	// who has it but is not in scope.
	SourceID *graphsync.ID `json:"source_id"`
	Why      string        `json:"why"`
	Others   bool          `json:"-"` // another sync keeps it

	Resource target.Resource `json:"-"`
}

// A discovery compares all accounts of an application with the directory.
type discovery struct {
	sync     *Sync
	tenant   *state.Tenant
	target   target.Adapter
	eval     *desired.Evaluator
	matching *matching
}

// Discover lists the application's accounts, in the order of their ids, with who they belong to.
// The directory is read first. Protected accounts are left out: they are not to be shown
// here. Nothing is written to the application or to the links.
func (s *Syncer) Discover(ctx context.Context, visit func(Account) error) error {
	c := s.newCycle(Options{})
	for _, step := range []func(context.Context) error{
		c.finalizer.putBack,   // what a dry run that was killed left behind
		c.puller.pull,         // Graph → snapshot
		c.discovery.wanted,    // snapshot → who has which matching value
		c.discovery.inventory, // the application's accounts → scratch space, with who wants them
	} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("discover %s, tenant %s: %w", s.Sync.Name, s.Sync.Tenant, err)
		}
	}
	err := c.plans.Entries(ctx, accountSpace, func(tx *state.Tx, _, raw []byte) error {
		var found foundAccount
		if err := plan.Decode(raw, &found); err != nil {
			return err
		}
		found.Account.Resource, found.Account.Others = found.Resource, found.Others
		if id := found.SourceID; found.State == Adoptable && len(tx.Space(s.Sync.Name, wantedSpace).Get(id[:])) > 1 {
			found.State, found.Why = Ambiguous, "the same person fits several accounts"
		}
		return visit(found.Account)
	})
	if err != nil {
		return err
	}
	return s.Tenant.Update(c.discovery.forgetDiscovery)
}

func (d *discovery) forgetDiscovery(tx *state.Tx) error {
	if err := tx.Space(d.sync.Name, accountSpace).Clear(); err != nil {
		return err
	}
	return tx.Space(d.sync.Name, wantedSpace).Clear()
}

// A foundAccount is an Account as it is kept until all are known.
type foundAccount struct {
	Account
	Others   bool            `json:"others"`
	Resource target.Resource `json:"resource"`
}

// wanted notes the matching values of everybody in the directory, in scope or not.
func (d *discovery) wanted(ctx context.Context) error {
	err := d.tenant.Update(d.forgetDiscovery)
	var after graphsync.ID
	for more := true; more && err == nil; {
		err = d.tenant.Update(func(tx *state.Tx) error {
			eval, space := d.eval.In(tx), tx.Space(d.sync.Name, wantedSpace)
			n := 0
			for user := range tx.Objects().All(graphsync.User, after) {
				if err := ctx.Err(); err != nil {
					return err
				}
				after = user.ID
				stand := eval.Eligibility(&user, nil)
				result := eval.Evaluate(&user, &stand, d.sync.Users.Mapping, true)
				for _, path := range d.sync.Users.Match {
					value := desired.TextOf(result.Attributes, path)
					if value == "" || user.Removed != graphsync.NotRemoved {
						continue
					}
					if err := space.Put(append(wantedPrefix(path, value), user.ID[:]...), []byte{yes(stand.InScope)}); err != nil {
						return err
					}
				}
				if n++; n == plan.DraftChunk {
					break
				}
			}
			more = n == plan.DraftChunk
			return nil
		})
	}
	return err
}

func yes(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func wantedPrefix(path, value string) []byte {
	return []byte(path + "\x00" + strings.ToLower(value) + "\x00")
}

// inventory reads the application's accounts and judges each.
func (d *discovery) inventory(ctx context.Context) error {
	lister, ok := d.target.(target.Lister)
	if !ok {
		return &target.Error{Code: target.Unsupported, Op: "list accounts", Message: fmt.Sprintf("target %s cannot list its accounts", d.sync.TargetName)}
	}
	m, err := d.matching.newMatcher(graphsync.User)
	if err != nil {
		return err
	}
	return lister.List(ctx, target.User, func(page []target.Resource) error {
		return d.tenant.Update(func(tx *state.Tx) error {
			for i := range page {
				r := &page[i]
				if d.sync.Scope.Protects(r) {
					continue
				}
				found := foundAccount{Resource: *r, Account: Account{TargetID: r.ID, Key: nameOf(r)}}
				if err := m.classify(tx, r, &found.Account); err != nil {
					return err
				}
				if found.State != NoSource { // its values are not needed, and they may be another tenant's
					found.Resource = target.Resource{Ref: r.Ref}
				}
				found.Others = found.Account.Others
				if found.State == Adoptable {
					space := tx.Space(d.sync.Name, wantedSpace)
					if err := space.Put(found.SourceID[:], append(slices.Clone(space.Get(found.SourceID[:])), 1)); err != nil {
						return err
					}
				}
				if err := tx.Space(d.sync.Name, accountSpace).Put([]byte(r.ID), plan.Encode(&found)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// classify tells whose an account is.
func (m *matcher) classify(tx *state.Tx, r *target.Resource, a *Account) error {
	owner, owned, err := m.store.Accounts().OwnerOf(m.sync.application(), r.ID, graphsync.User)
	if err != nil {
		return err
	}
	if owned {
		a.State, a.SourceID, a.Why = Linked, &owner.Source, "kept by this sync"
		if owner.Tenant != m.sync.Tenant || owner.Sync != m.sync.Name {
			a.Others, a.Why = true, fmt.Sprintf("kept by sync %s of tenant %s", owner.Sync, m.store.TenantRecords().NameOf(owner.Tenant))
		}
		return nil
	}
	for _, path := range m.paths {
		value, ok := r.Value(path).(string)
		if !ok || value == "" {
			continue
		}
		var inScope, others []graphsync.ID
		for key, scoped := range tx.Space(m.sync.Name, wantedSpace).Prefix(wantedPrefix(path.String(), value)) {
			id := graphsync.ID(key[len(key)-16:])
			if scoped[0] == 1 {
				inScope = append(inScope, id)
			} else {
				others = append(others, id)
			}
		}
		switch {
		case len(inScope) == 1:
			a.State, a.SourceID, a.Why = Adoptable, &inScope[0], fmt.Sprintf("has the same %s", path)
			if _, linked, err := tx.Links(m.sync.Name).Get(graphsync.User, inScope[0]); err != nil || linked {
				a.State, a.Why = Ambiguous, fmt.Sprintf("has the %s of a user who has another account", path)
				return err
			}
			return nil
		case len(inScope) > 1:
			a.State, a.Why = Ambiguous, fmt.Sprintf("%d people have the same %s", len(inScope), path)
			return nil
		case len(others) > 0:
			a.State, a.SourceID, a.Why = NoSource, &others[0], fmt.Sprintf("a user in the directory has the same %s, but is not in scope", path)
			return nil
		}
	}
	a.State, a.Why = NoSource, "no user in the directory has its "+strings.Join(m.rules.Match, " or ")
	return nil
}
