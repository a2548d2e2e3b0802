package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A comparer compares links and memberships with what the application holds.
type comparer struct {
	sync        *Sync
	tenantSyncs []string
	opts        Options
	runID       string
	now         time.Time
	workers     int
	source      graphsync.Source
	store       *state.Store
	tenant      *state.Tenant
	target      target.Adapter
	info        *state.SyncInfo
	breaker     *breaker
	ledger      *ledger
	findings    *findings
	owners      *ownership.Accounts
	recovery    *recovery
}

// compare makes a full cycle complete: the links are compared with what the application really
// holds, so that an account that was changed or deleted by hand is put right. An account that
// the list leaves out is believed gone when it is not found under its id either. A value that
// the application does not show is not taken for a change: it may never have kept it.
func (c *comparer) compare(ctx context.Context) error {
	if err := c.dropUnfinished(); err != nil {
		return err
	}
	getter, gets := c.target.(target.Getter)
	lister, lists := c.target.(target.Lister)
	switch {
	case c.findings.moved || !gets || c.opts.partial() && !c.opts.Drift:
		return nil
	case c.opts.Drift:
		if err := c.scan(ctx, getter, nil); err != nil || c.opts.partial() || !lists {
			return err
		}
		return c.confirmOrphans(ctx, getter)
	case !lists:
		return nil
	case !c.opts.Full && c.info.FirstRun.IsZero() && c.sync.Users.Maps("externalId"):
		return c.findOrphans(ctx, lister)
	case !c.opts.Full:
		return c.confirmOrphans(ctx, getter)
	}
	finder, err := c.newOrphanFinder()
	if err != nil {
		return err
	}
	if err := c.scan(ctx, getter, finder.page); err != nil {
		return err
	}
	return finder.finish(ctx, c.opts.Apply)
}

// scan compares every link with its account. strays takes the accounts without a link, nil: they are of no interest.
func (c *comparer) scan(ctx context.Context, getter target.Getter, strays func([]target.Resource) error) error {
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		s := linkScan{sync: c.sync, workers: c.workers, tenant: c.tenant, target: c.target, ledger: c.ledger, kind: kind, ask: c.presence(getter), visit: func(found []observedLink) error {
			if err := c.showSwitchedOff(ctx, found); err != nil {
				return err
			}
			if c.notesDrift() {
				return c.noteDrift(found)
			}
			return c.updateLinks(found)
		}}
		if kind == graphsync.User {
			s.strays = strays
		}
		if err := s.run(ctx); err != nil {
			return err
		}
	}
	return c.endDrift()
}

// presence asks for an account by its id. One that cannot be asked for is left as it is, and
// reported: see unread.
func (c *comparer) presence(getter target.Getter) lookup {
	return func(ctx context.Context, link *state.Link) (*target.Resource, bool, error) {
		shown, err := getter.Get(ctx, target.Ref{Kind: targetKind(link.Kind), ID: link.TargetID})
		switch code := target.CodeOf(err); {
		case c.breaker.open(ctx, err):
			return nil, false, &breakerOpenError{target: c.sync.TargetName, last: err}
		case err == nil:
			return shown, true, nil
		case code == target.NotFound:
			return nil, true, nil
		case code.Stops() || ctx.Err() != nil:
			return nil, false, fmt.Errorf("look for account %s in target %s: %w", link.TargetID, c.sync.TargetName, err)
		}
		return nil, false, c.recovery.unread(state.Intent{Kind: link.Kind, Source: link.Source, Op: string(Compare), At: c.now}, link.Key, err)
	}
}

// updateLinks brings links to what their accounts show. Those without an account, and those whose
// account is another one, are left to identify; nothing of another account is taken over.
func (c *comparer) updateLinks(found []observedLink) error {
	return c.tenant.Update(func(tx *state.Tx) error {
		for i := range found {
			if err := c.updateLink(tx, &found[i].link, found[i].shown); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *comparer) updateLink(tx *state.Tx, link *state.Link, shown *target.Resource) error {
	m := mismatch{TargetID: link.TargetID, Run: c.runID}
	since := link.InactiveSince
	switch {
	case shown == nil && link.Kind == graphsync.User && !link.Active:
		// An application may hide accounts that are off: a person who comes back gets it again.
		return errors.Join(c.opts.records(tx, c.sync).forgetStillActive(link.Source), c.opts.records(tx, c.sync).forgetMismatch(link.Kind, link.Source))
	case shown == nil:
		m.Gone = true
		return c.opts.records(tx, c.sync).putMismatch(link, &m)
	case identityIn(tx, c.sync, c.now, link, shown, nil) == desired.Foreign:
		return c.noteForeign(tx, link, shown)
	}
	if err := c.opts.records(tx, c.sync).delete(plan.MismatchSpace, plan.LinkKey(link.Kind, link.Source)); err != nil {
		return err
	}
	leave, err := c.opts.records(tx, c.sync).compareActivity(link, shown)
	if err != nil {
		return err
	}
	if !drifted(c.sync.rules(link.Kind), c.now, link, shown, knownShown(tx, c.sync.Name, link)) {
		return nil
	}
	if leave {
		link.Active, link.InactiveSince = false, since
	}
	if _, lost, err := dropLost(c.owners, c.opts.records(tx, c.sync), c.ledger, link); err != nil || lost {
		return err
	}
	return c.opts.records(tx, c.sync).putLink(link)
}

// noteForeign has identify look at a link whose account is another one.
func (c *comparer) noteForeign(tx *state.Tx, link *state.Link, shown *target.Resource) error {
	if _, lost, err := dropLost(c.owners, c.opts.records(tx, c.sync), c.ledger, link); err != nil || lost {
		return err
	}
	m := mismatch{TargetID: link.TargetID, Run: c.runID, Shown: desired.Describe(link.Kind, c.sync.rules(link.Kind), shown)}
	return c.opts.records(tx, c.sync).putMismatch(link, &m)
}
