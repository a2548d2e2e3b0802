package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// pull brings the snapshot up to date: users, groups with members, the enterprise application,
// its assignments. Each page is committed as it comes; nothing is decided before all rounds
// have reached their delta link and every absence is proven.
func (c *cycle) pull(ctx context.Context) error {
	if c.opts.NoRefresh {
		return c.noteUnread()
	}
	if err := c.checkPause(); err != nil {
		return err
	}
	return c.rememberPause(c.read(ctx))
}

// read reads what the syncs of the tenant need.
func (c *cycle) read(ctx context.Context) error {
	if err := c.remindAbsent(); err != nil {
		return err
	}
	if err := c.pullOrganization(ctx); err != nil {
		return err
	}
	if err := c.pullStream(ctx, graphsync.Users, c.Needs.UserProperties); err != nil {
		return err
	}
	if len(c.Needs.GroupProperties) > 0 {
		if err := c.pullStream(ctx, graphsync.Groups, c.Needs.GroupProperties); err != nil {
			return err
		}
	}
	if NeedsOf([]*Sync{c.Sync}).App {
		return c.pullAssignments(ctx)
	}
	return nil
}

// remindAbsent has syncs that are in the state but not in the configuration evaluate everybody
// when they come back: what changes now is not kept for them.
func (c *cycle) remindAbsent() error {
	var absent []string
	err := c.Tenant.View(func(tx *state.Tx) error {
		for _, name := range tx.Syncs() {
			if !slices.Contains(c.Peers, name) && !tx.PendingAll(name) {
				absent = append(absent, name)
			}
		}
		return nil
	})
	if err != nil || len(absent) == 0 {
		return err
	}
	return c.Tenant.Update(func(tx *state.Tx) error {
		for _, name := range absent {
			if err := tx.SetPendingAll(name, true); err != nil {
				return err
			}
		}
		return nil
	})
}

// noteUnread says which properties a what-if would need that no round has read yet.
func (c *cycle) noteUnread() error {
	return c.Tenant.View(func(tx *state.Tx) error {
		for _, stream := range []graphsync.Stream{graphsync.Users, graphsync.Groups} {
			needed := c.Needs.UserProperties
			if stream == graphsync.Groups {
				needed = c.Needs.GroupProperties
			}
			read := strings.Split(tx.Cursor(stream).Select, ",")
			unread := slices.DeleteFunc(slices.Clone(needed), func(name string) bool {
				return slices.ContainsFunc(read, func(known string) bool { return strings.EqualFold(known, name) })
			})
			if len(unread) > 0 {
				c.note("the snapshot of %s has not read %s yet: plan without --no-refresh to see what comes of it", stream, strings.Join(unread, ", "))
			}
		}
		return nil
	})
}

// restartLimit bounds how often a cycle begins a round again because Graph refused a link.
const restartLimit = 2

// pullStream follows a delta stream to its delta link. A refused link begins a new round.
func (c *cycle) pullStream(ctx context.Context, stream graphsync.Stream, properties []string) error {
	err := c.Tenant.Update(func(tx *state.Tx) error {
		cursor := tx.Cursor(stream)
		// A link tracks only what its round selected (delta overview): other properties, other round.
		if cursor.Round == 0 || cursor.Select != graphsync.SelectKey(properties) || c.opts.Full {
			return c.beginRound(tx, stream, properties)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for restarts := 0; ; restarts++ {
		err := c.followStream(ctx, stream, properties)
		if errors.Is(err, graphsync.ErrResync) && restarts < restartLimit {
			c.Log.Info("Graph refuses the stored link, reading everything again", "tenant", c.Sync.Tenant, "stream", stream, "error", err)
			err = c.Tenant.Update(func(tx *state.Tx) error { return c.beginRound(tx, stream, properties) })
			if err == nil {
				continue
			}
		}
		if errors.Is(err, errEndless) {
			return errors.Join(err, c.Tenant.Update(func(tx *state.Tx) error { return c.beginRound(tx, stream, properties) }))
		}
		if err != nil {
			return err
		}
		if err := c.direct().resolve(ctx, stream.Kind(), properties); err != nil {
			return err
		}
		return c.confirmAbsences(ctx, stream)
	}
}

func (c *cycle) beginRound(tx *state.Tx, stream graphsync.Stream, properties []string) error {
	if err := tx.BeginRound(stream, graphsync.SelectKey(properties), c.now); err != nil {
		return err
	}
	// A new round tells the present state of everything: everybody is evaluated when it is done.
	for _, name := range c.Peers {
		if err := tx.SetPendingAll(name, true); err != nil {
			return err
		}
	}
	return nil
}

// followStream reads pages until the delta link. Reading the next page overlaps with
// committing the last ones; pages that have piled up share one commit. A cursor never runs
// ahead of its data, because both are in the same transaction.
func (c *cycle) followStream(ctx context.Context, stream graphsync.Stream, properties []string) error {
	var start state.Cursor
	err := c.Tenant.View(func(tx *state.Tx) error { start = tx.Cursor(stream); return nil })
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
			page, err := c.Source.DeltaPage(ctx, stream, properties, link)
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
			if err := c.commitPages(stream, batch); err != nil {
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

func (c *cycle) commitPages(stream graphsync.Stream, pages []*graphsync.Page) error {
	err := c.Tenant.Update(func(tx *state.Tx) error {
		for _, page := range pages {
			if _, err := tx.PutPage(stream, page, c.now, c.Peers); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store %s: %w", stream, err)
	}
	for _, page := range pages {
		c.report.Graph.Pages++
		c.report.Graph.Objects += int64(len(page.Changes))
		c.report.Graph.Bytes += int64(page.Bytes)
		for _, bad := range page.Skipped {
			c.note("an entry of %s was not understood: %s: %s", stream, bad.ID, bad.Reason)
		}
	}
	c.step(string(stream), int(c.report.Graph.Objects), 0)
	return nil
}

// pullAssignments reads the enterprise application and all its assignments. Graph has no delta
// for them; they are compared by id, and taken only when as many came as Graph counted.
func (c *cycle) pullAssignments(ctx context.Context) error {
	app, err := c.Source.App(ctx, c.Sync.AppID)
	if err != nil {
		return fmt.Errorf("read the enterprise application %s: %w", c.Sync.AppID, err)
	}
	if !app.Enabled {
		return &graphsync.Error{Class: graphsync.AppDisabled, Op: "servicePrincipals",
			Message: fmt.Sprintf("the enterprise application %q is disabled in tenant %s", app.Name, c.Sync.Tenant),
			Hint:    "an administrator of the tenant can enable it: Enterprise applications, Properties, \"Enabled for users to sign-in\""}
	}
	err = c.Tenant.Update(func(tx *state.Tx) error {
		changed, err := tx.PutApp(*app)
		for i := 0; changed && err == nil && i < len(c.Peers); i++ { // roles may have changed, for all who read them
			err = tx.SetPendingAll(c.Peers[i], true)
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.readAssignments(ctx, app)
}

// note adds a sentence to the report, once.
func (c *cycle) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, known := range c.report.Notes {
		if known == text {
			return
		}
	}
	if len(c.report.Notes) < ListLimit {
		c.report.Notes = append(c.report.Notes, strings.ToValidUTF8(text, "�"))
	}
}
