package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/snapshot"
	"entrasync/state"
	"entrasync/target"
)

// An account without a link is not looked at by any other step: when the state was lost or is
// older than the application, the account of a user who left meanwhile would stay active, and
// nothing would say so. Each listing of the application's accounts therefore notes those that are
// provably this tenant's: they carry the externalId of one of its users, or are claimed.

// An orphan is such an account.
type orphan struct {
	Source   graphsync.ID `json:"source"`
	Account  string       `json:"account"`
	Name     string       `json:"name"`
	External string       `json:"external,omitempty"` // its externalId
	Active   bool         `json:"active"`
	Former   state.Owner  `json:"former,omitzero"`  // a sync that is no longer configured and claims it
	Deleted  bool         `json:"deleted,omitzero"` // the user is not in the snapshot but among Graph's deleted items
	Seen     time.Time    `json:"seen,omitzero"`    // when it was last read
	Unknown  bool         `json:"nobody,omitzero"`  // the externalId is an object id that the directory does not know
}

func (o *orphan) key() []byte { return append(slices.Clone(o.Source[:]), o.Account...) }

// An orphanFinder looks for orphans among the accounts of a list.
type orphanFinder struct {
	sync        *Sync
	tenant      *state.Tenant
	store       *state.Store
	tenantSyncs []string
	graph       graphsync.Source
	now         time.Time
	direct      bool // externalId is the object id

	// externalID works out what the externalId of a user would be; nil when none is mapped.
	externalID func(tx *state.Tx, eval *desired.Evaluator, user *state.Object) string
}

// newOrphanFinder begins a look.
func (c *comparer) newOrphanFinder() (*orphanFinder, error) {
	f := &orphanFinder{sync: c.sync, tenant: c.tenant, store: c.store, tenantSyncs: c.tenantSyncs, graph: c.source, now: c.now}
	for _, a := range c.sync.Users.Mapping.Attributes() {
		if name, ok := a.Direct(); ok && strings.EqualFold(a.Path.String(), "externalId") {
			f.direct = strings.EqualFold(name, "objectId")
		}
	}
	if c.sync.Users.Maps("externalId") {
		f.externalID = func(tx *state.Tx, eval *desired.Evaluator, user *state.Object) string {
			stand := eval.Eligibility(user, nil)
			return desired.TextOf(eval.Evaluate(user, &stand, c.sync.Users.Mapping, true).Attributes, "externalId")
		}
	}
	return f, c.tenant.Update(func(tx *state.Tx) error {
		if err := tx.Space(c.sync.Name, valueSpace).Clear(); err != nil {
			return err
		}
		return tx.Space(c.sync.Name, foundSpace).Clear()
	})
}

// page notes what is provably the tenant's of accounts that are not linked.
func (f *orphanFinder) page(unlinked []target.Resource) error {
	return f.tenant.Update(func(tx *state.Tx) error {
		eval := desired.NewEvaluator(f.sync.config(), f.now).In(tx)
		for i := range unlinked {
			r := &unlinked[i]
			if f.sync.Scope.Protects(r) {
				continue
			}
			o := orphan{Account: r.ID, Name: nameOf(r), External: textAttribute(r, "externalId"), Active: !inactive(r), Seen: f.now}
			ours, err := f.owned(tx, &o)
			if err != nil {
				return err
			}
			switch space := tx.Space(f.sync.Name, foundSpace); {
			case ours && !f.adoptable(tx, eval, &o):
				err = space.Put(o.key(), plan.Encode(&o))
			case !ours && f.indirect(&o):
				err = tx.Space(f.sync.Name, valueSpace).Put(append(valueKey("externalId", o.External), o.Account...), plan.Encode(&o))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// owned finds the user whose account it is: by its claim, else by its externalId.
func (f *orphanFinder) owned(tx *state.Tx, o *orphan) (bool, error) {
	owner, claimed, err := f.store.Accounts().OwnerOf(f.sync.application(), o.Account, graphsync.User)
	switch {
	case err != nil:
		return false, err
	case claimed && owner.Tenant != f.sync.Tenant:
		return false, nil
	case claimed && owner.Sync == f.sync.Name && !f.anothers(o, owner.Source):
		o.Source = owner.Source
		return true, nil
	case claimed && owner.Sync != f.sync.Name:
		o.Source, o.Former = owner.Source, owner // of a sync of this tenant
		return !slices.Contains(f.tenantSyncs, owner.Sync), nil
	case o.External == "":
		return false, nil
	}
	for _, id := range tx.Links(f.sync.Name).SourcesByKey(graphsync.User, desired.MatchKey("externalId", o.External)) {
		o.Source = id
		return true, nil
	}
	id, err := graphsync.ParseID(o.External)
	if err != nil || !f.direct {
		return false, nil
	}
	o.Source = id
	_, known := tx.Objects().Get(graphsync.User, id)
	o.Unknown = !known // until Graph was asked
	return known || o.Active, nil
}

// anothers reports whether the externalId of a claimed account is not the one that this sync wrote: the
// application has given the id out again.
func (f *orphanFinder) anothers(o *orphan, source graphsync.ID) bool {
	return f.direct && o.External != "" && !strings.EqualFold(o.External, source.String())
}

// indirect reports whether an account may be of a user whose externalId has to be worked out.
func (f *orphanFinder) indirect(o *orphan) bool {
	return !f.direct && f.externalID != nil && o.External != "" && o.Source.IsZero()
}

// workOut finds the users of accounts by the externalId that the mapping gives them.
func (f *orphanFinder) workOut(ctx context.Context) error {
	var after graphsync.ID
	for more := true; more; {
		err := f.tenant.Update(func(tx *state.Tx) error {
			values, found := tx.Space(f.sync.Name, valueSpace), tx.Space(f.sync.Name, foundSpace)
			if more = values.Count() > 0; !more {
				return nil
			}
			eval, n := desired.NewEvaluator(f.sync.config(), f.now).In(tx), 0
			for user := range tx.Objects().All(graphsync.User, after) {
				if err := ctx.Err(); err != nil {
					return err
				}
				after = user.ID
				if value := f.externalID(tx, eval, &user); value != "" {
					for _, raw := range values.Prefix(valueKey("externalId", value)) {
						var o orphan
						if err := plan.Decode(raw, &o); err != nil {
							return err
						}
						if o.Source = user.ID; o.External != value || f.adoptable(tx, eval, &o) {
							continue
						}
						if err := found.Put(o.key(), plan.Encode(&o)); err != nil {
							return err
						}
					}
				}
				if n++; n == plan.DraftChunk {
					return nil
				}
			}
			more = false
			return values.Clear()
		})
		if err != nil {
			return fmt.Errorf("work out whose accounts without a link are: %w", err)
		}
	}
	return nil
}

// adoptable reports whether matching takes care of an account: its user has a right to one, and
// has none.
func (f *orphanFinder) adoptable(tx *state.Tx, eval *desired.Evaluator, o *orphan) bool {
	object, known := tx.Objects().Get(graphsync.User, o.Source)
	_, linked, err := tx.Links(f.sync.Name).Get(graphsync.User, o.Source)
	if !known || linked || err != nil {
		return false
	}
	stand := eval.Eligibility(&object, nil)
	return stand.Active() || stand.Problem != "" || stand.InScope && !stand.Disabled
}

// finish asks Graph about object ids that the snapshot does not know, and puts what was found in
// place of what the last look found.
func (f *orphanFinder) finish(ctx context.Context, keep bool) error {
	if err := f.workOut(ctx); err != nil {
		return err
	}
	if err := f.askFor(ctx); err != nil || !keep {
		return err
	}
	return f.tenant.Update(func(tx *state.Tx) error {
		kept := tx.Space(f.sync.Name, orphanSpace)
		if err := kept.Clear(); err != nil {
			return err
		}
		for key, raw := range tx.Space(f.sync.Name, foundSpace).All(nil) {
			if err := kept.Put(slices.Clone(key), slices.Clone(raw)); err != nil {
				return err
			}
		}
		return tx.Space(f.sync.Name, foundSpace).Clear()
	})
}

// askFor asks Graph which of the unknown object ids are of users who were deleted.
func (f *orphanFinder) askFor(ctx context.Context) error {
	var after []byte
	for {
		var unknown []orphan
		err := f.tenant.View(func(tx *state.Tx) error {
			for key, raw := range tx.Space(f.sync.Name, foundSpace).All(after) {
				after = slices.Clone(key)
				var o orphan
				if err := plan.Decode(raw, &o); err != nil {
					return err
				}
				if !o.Unknown {
					continue
				}
				if unknown = append(unknown, o); len(unknown) == snapshot.ConfirmBatch {
					break
				}
			}
			return nil
		})
		if err != nil || len(unknown) == 0 {
			return err
		}
		ids := make([]graphsync.ID, len(unknown))
		for i := range unknown {
			ids[i] = unknown[i].Source
		}
		answers, err := f.graph.Presence(ctx, graphsync.User, ids)
		if err != nil {
			return fmt.Errorf("ask whether the users of %d accounts exist: %w", len(ids), err)
		}
		err = f.tenant.Update(func(tx *state.Tx) error {
			space := tx.Space(f.sync.Name, foundSpace)
			for i := range unknown {
				o := &unknown[i]
				switch answers[i] {
				case graphsync.InDeletedItems:
					o.Unknown, o.Deleted = false, true
				case graphsync.Present: // the next round reads it
					if err := space.Delete(o.key()); err != nil {
						return err
					}
					continue
				}
				if err := space.Put(o.key(), plan.Encode(o)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// findOrphans looks through the accounts of the first cycle of a sync, which compares no links:
// the state may be new because an older one was lost.
func (c *comparer) findOrphans(ctx context.Context, lister target.Lister) error {
	finder, err := c.newOrphanFinder()
	if err != nil {
		return err
	}
	// Links that a provision on demand made before the first cycle are compared by a full one.
	s := linkScan{sync: c.sync, workers: c.workers, tenant: c.tenant, target: c.target, ledger: c.ledger, kind: graphsync.User, strays: finder.page, visit: func([]observedLink) error { return nil }}
	worth, err := s.worth()
	if err != nil {
		return err
	}
	if err := s.list(ctx, lister, worth); err != nil {
		if code := target.CodeOf(err); code.Stops() || code == target.Unavailable || ctx.Err() != nil {
			return err
		}
		c.ledger.note("the accounts of target %s were not looked through for those of users who left: %v", c.sync.TargetName, err)
		return nil
	}
	return finder.finish(ctx, c.opts.Apply)
}
