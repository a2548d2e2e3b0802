package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"entrasync/graphsync"
	"entrasync/state"
)

// pagesAhead and bytesAhead bound what is read but not yet committed. Object ids are random, so
// a commit touches a page of the file per object: many Graph pages in one commit share them (64
// pages are stored twice as fast as one by one).
const (
	pagesAhead = 64
	bytesAhead = 32 << 20
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
	if err := p.pullStream(ctx, graphsync.Users, p.needs.UserProperties); err != nil {
		return err
	}
	if len(p.needs.GroupProperties) > 0 {
		if err := p.pullStream(ctx, graphsync.Groups, p.needs.GroupProperties); err != nil {
			return err
		}
	}
	if NeedsOf([]*Sync{p.sync}).App {
		return p.pullAssignments(ctx)
	}
	return nil
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

// restartLimit bounds how often a cycle begins a round again because Graph refused a link.
const restartLimit = 2

// pullStream follows a delta stream to its delta link. A refused link begins a new round.
func (p *puller) pullStream(ctx context.Context, stream graphsync.Stream, properties []string) error {
	err := p.tenant.Update(func(tx *state.Tx) error {
		cursor := tx.Cursors().Get(stream)
		// A link tracks only what its round selected (delta overview): other properties, other round.
		if cursor.Round == 0 || cursor.Select != graphsync.SelectKey(properties) || p.opts.Full {
			return p.beginRound(tx, stream, properties)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for restarts := 0; ; restarts++ {
		err := p.followStream(ctx, stream, properties)
		if errors.Is(err, graphsync.ErrResync) && restarts < restartLimit {
			p.log.Info("Graph refuses the stored link, reading everything again", "tenant", p.sync.Tenant, "stream", stream, "error", err)
			err = p.tenant.Update(func(tx *state.Tx) error { return p.beginRound(tx, stream, properties) })
			if err == nil {
				continue
			}
		}
		if errors.Is(err, errEndless) {
			return errors.Join(err, p.tenant.Update(func(tx *state.Tx) error { return p.beginRound(tx, stream, properties) }))
		}
		if err != nil {
			return err
		}
		if err := p.direct().resolve(ctx, stream.Kind(), properties); err != nil {
			return err
		}
		return p.confirmAbsences(ctx, stream)
	}
}

func (p *puller) beginRound(tx *state.Tx, stream graphsync.Stream, properties []string) error {
	if err := tx.Cursors().BeginRound(stream, graphsync.SelectKey(properties), p.now); err != nil {
		return err
	}
	// A new round tells the present state of everything: everybody is evaluated when it is done.
	for _, name := range p.peers {
		if err := tx.Pending(name).SetEverything(true); err != nil {
			return err
		}
	}
	return nil
}

// followStream reads pages until the delta link. Reading the next page overlaps with
// committing the last ones; pages that have piled up share one commit. A cursor never runs
// ahead of its data, because both are in the same transaction.
func (p *puller) followStream(ctx context.Context, stream graphsync.Stream, properties []string) error {
	var start state.Cursor
	err := p.tenant.View(func(tx *state.Tx) error { start = tx.Cursors().Get(stream); return nil })
	if err != nil {
		return err
	}
	pages := make(chan *graphsync.Page, pagesAhead)
	ahead := semaphore.NewWeighted(bytesAhead)
	weight := func(page *graphsync.Page) int64 { return min(int64(page.Bytes), bytesAhead) }
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(pages)
		link, loop := start.Link, newLoopDetector(stream)
		for {
			page, err := p.source.DeltaPage(ctx, stream, properties, link)
			if err != nil {
				return fmt.Errorf("read %s: %w", stream, err)
			}
			if err := loop.add(page); err != nil {
				return err
			}
			if err := ahead.Acquire(ctx, weight(page)); err != nil {
				return err
			}
			select {
			case pages <- page:
			case <-ctx.Done():
				return ctx.Err()
			}
			if page.Next == "" {
				return nil
			}
			link = page.Next
		}
	})
	group.Go(func() error {
		for page := range pages {
			batch := []*graphsync.Page{page}
			for len(batch) < cap(pages) && len(pages) > 0 {
				if next, ok := <-pages; ok {
					batch = append(batch, next)
				}
			}
			if err := p.commitPages(stream, batch); err != nil {
				return err
			}
			for _, page := range batch {
				ahead.Release(weight(page))
			}
		}
		return nil
	})
	return group.Wait()
}

func (p *puller) commitPages(stream graphsync.Stream, pages []*graphsync.Page) error {
	err := p.tenant.Update(func(tx *state.Tx) error {
		for _, page := range pages {
			if _, err := tx.PutPage(stream, page, p.now, p.peers); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store %s: %w", stream, err)
	}
	for _, page := range pages {
		p.ledger.readPage(len(page.Changes), page.Bytes)
		for _, bad := range page.Skipped {
			p.ledger.note("an entry of %s was not understood: %s: %s", stream, bad.ID, bad.Reason)
		}
	}
	p.ledger.reportProgress(string(stream), int(p.ledger.report.Graph.Objects), 0)
	return nil
}

// pullAssignments reads the enterprise application and all its assignments. Graph has no delta
// for them; they are compared by id, and taken only when as many came as Graph counted.
func (p *puller) pullAssignments(ctx context.Context) error {
	app, err := p.source.App(ctx, p.sync.AppID)
	if err != nil {
		return fmt.Errorf("read the enterprise application %s: %w", p.sync.AppID, err)
	}
	if !app.Enabled {
		return &graphsync.Error{Class: graphsync.AppDisabled, Op: "servicePrincipals",
			Message: fmt.Sprintf("the enterprise application %q is disabled in tenant %s", app.Name, p.sync.Tenant),
			Hint:    "an administrator of the tenant can enable it: Enterprise applications, Properties, \"Enabled for users to sign-in\""}
	}
	err = p.tenant.Update(func(tx *state.Tx) error {
		changed, err := tx.PutApp(*app)
		for i := 0; changed && err == nil && i < len(p.peers); i++ { // roles may have changed, for all who read them
			err = tx.Pending(p.peers[i]).SetEverything(true)
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.readAssignments(ctx, app)
}
