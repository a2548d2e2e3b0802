package reconcile

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// A puller brings the snapshot of a tenant up to date.
type puller struct {
	sync   *Sync
	needs  Needs
	peers  []string
	opts   Options
	now    time.Time
	clock  func() time.Time
	source graphsync.Source
	tenant *state.Tenant
	log    *slog.Logger
	ledger *ledger
	plain  bool // users are not listed: it is of no use, or not possible
}

// pull brings the snapshot up to date: users, groups with members, the enterprise application,
// its assignments. Each page is committed as it comes; nothing is decided before all rounds
// have reached their delta link and every absence is proven.
func (p *puller) pull(ctx context.Context) error {
	if p.opts.NoRefresh {
		return p.noteUnread()
	}
	if err := p.checkPause(); err != nil {
		return err
	}
	return p.rememberPause(p.read(ctx))
}

// read reads what the syncs of the tenant need.
func (p *puller) read(ctx context.Context) error {
	if err := p.remindAbsent(); err != nil {
		return err
	}
	if err := p.pullOrganization(ctx); err != nil {
		return err
	}
	return p.readLists(ctx)
}

// remindAbsent has syncs that are in the state but not in the configuration evaluate everybody
// when they come back: what changes now is not kept for them.
func (p *puller) remindAbsent() error {
	var absent []string
	err := p.tenant.View(func(tx *state.Tx) error {
		for _, name := range tx.Syncs() {
			if !slices.Contains(p.peers, name) && !tx.Pending(name).Everything() {
				absent = append(absent, name)
			}
		}
		return nil
	})
	if err != nil || len(absent) == 0 {
		return err
	}
	return p.tenant.Update(func(tx *state.Tx) error {
		for _, name := range absent {
			if err := tx.Pending(name).SetEverything(true); err != nil {
				return err
			}
		}
		return nil
	})
}

// noteUnread says which properties a what-if would need that no round has read yet.
func (p *puller) noteUnread() error {
	return p.tenant.View(func(tx *state.Tx) error {
		for _, stream := range []graphsync.Stream{graphsync.Users, graphsync.Groups} {
			needed := p.needs.UserProperties
			if stream == graphsync.Groups {
				needed = p.needs.GroupProperties
			}
			read := strings.Split(tx.Cursors().Get(stream).Select, ",")
			unread := slices.DeleteFunc(slices.Clone(needed), func(name string) bool {
				return slices.ContainsFunc(read, func(known string) bool { return strings.EqualFold(known, name) })
			})
			if len(unread) > 0 {
				p.ledger.note("the snapshot of %s has not read %s yet: plan without --no-refresh to see what comes of it", stream, strings.Join(unread, ", "))
			}
		}
		return nil
	})
}
