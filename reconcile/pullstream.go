package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/state"
)

// pagesAhead bounds how many pages of a stream are read but not yet committed, bytesAhead their size over
// all streams.
const (
	pagesAhead = 64
	bytesAhead = 32 << 20
)

// commitDelay is how long pages wait for others that share their commit; what a killed process has read in that
// time is read again. Object ids are random, so a commit writes a page of the file for nearly every object:
// many Graph pages in one commit share them.
const commitDelay = 4 * time.Second

// gather returns the pages that share the next commit: those that come within commitDelay, at most limit.
func gather[T any](first T, pages <-chan T, limit int) []T {
	batch := []T{first}
	enough := time.NewTimer(commitDelay)
	defer enough.Stop()
	for len(batch) < limit {
		select {
		case next, open := <-pages:
			if !open {
				return batch
			}
			batch = append(batch, next)
		case <-enough.C:
			return batch
		}
	}
	return batch
}

// commitSize is how many pages share a commit after that many. The first commits are small: bbolt divides the
// pages of its file at the end of a commit only, and a mass of keys in one page is slow.
func commitSize(committed uint64) int { return int(min(pagesAhead, max(2, committed/2))) }

// restartLimit bounds how often a cycle begins a round again because Graph refused a link.
const restartLimit = 2

// pullUsers brings the users up to date.
func (p *puller) pullUsers(ctx context.Context, order *readOrder) error {
	if err := p.pullStream(ctx, graphsync.Users, p.needs.UserProperties, order); err != nil {
		return err
	}
	return p.settleStream(ctx, graphsync.Users, p.needs.UserProperties, order)
}

// pullGroups brings the groups and their members up to date.
func (p *puller) pullGroups(ctx context.Context, order *readOrder) error {
	if err := order.users.begun.wait(ctx); err != nil {
		return err
	}
	if err := p.pullStream(ctx, graphsync.Groups, p.needs.GroupProperties, order); err != nil {
		return err
	}
	if err := order.users.read.wait(ctx); err != nil { // members may be of any kind of user
		return err
	}
	if err := p.placeMembers(); err != nil {
		return err
	}
	return p.settleStream(ctx, graphsync.Groups, p.needs.GroupProperties, order)
}

// placeMembers takes in the members whose type was not known when their page was committed.
func (p *puller) placeMembers() error {
	open := false
	err := p.tenant.View(func(tx *state.Tx) error { open = tx.Members().HaveOpen(); return nil })
	if err != nil || !open {
		return err
	}
	return p.tenant.Update(func(tx *state.Tx) error { return tx.Members().PlaceOpen(p.peers) })
}

// settleStream asks Graph about what the pages of a stream have left open.
func (p *puller) settleStream(ctx context.Context, stream graphsync.Stream, properties []string, order *readOrder) error {
	direct := p.direct(order)
	if err := direct.resolve(ctx, stream.Kind(), properties); err != nil {
		return err
	}
	if err := p.confirmAbsences(ctx, stream, direct); err != nil {
		return err
	}
	order.of(stream).confirmed.reach()
	return nil
}

// pullStream follows a delta stream to its delta link. A refused link begins a new round.
func (p *puller) pullStream(ctx context.Context, stream graphsync.Stream, properties []string, order *readOrder) error {
	if err := p.beginStream(stream, properties); err != nil {
		return err
	}
	for restarts := 0; ; restarts++ {
		err := p.readRound(ctx, stream, properties, order)
		if errors.Is(err, graphsync.ErrResync) && restarts < restartLimit {
			p.log.Info("the round cannot be continued, reading everything again", "tenant", p.sync.Tenant, "stream", stream, "error", err)
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
		if stream == graphsync.Groups {
			if err := p.tenant.IndexMembers(); err != nil {
				return fmt.Errorf("store groups: %w", err)
			}
		}
		order.of(stream).begun.reach()
		order.of(stream).read.reach()
		return nil
	}
}

// readRound reads the round of a stream to its end, by lists where that is faster; see listusers.go.
func (p *puller) readRound(ctx context.Context, stream graphsync.Stream, properties []string, order *readOrder) error {
	for {
		cursor, err := p.cursor(stream)
		if err != nil {
			return err
		}
		if cursor.Listing {
			switch err := p.listUsers(ctx, properties, order); {
			case err != nil && refusesLists(err):
				return fmt.Errorf("%w: %w", graphsync.ErrResync, err)
			case err != nil:
				return err
			}
			continue
		}
		err = p.followStream(ctx, stream, properties, order)
		if errors.Is(err, errChangeOver) {
			err = p.beginListing(ctx, properties)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if cursor, err = p.cursor(stream); err == nil && cursor.Miscounted {
			err = fmt.Errorf("%w: %d users were listed and %d were counted", graphsync.ErrResync, cursor.Listed, cursor.Counted)
		}
		return err
	}
}

func (p *puller) cursor(stream graphsync.Stream) (c state.Cursor, err error) {
	err = p.tenant.View(func(tx *state.Tx) error {
		c = tx.Cursors().Get(stream)
		return nil
	})
	return c, err
}

// beginStream begins a round where the stored link cannot be followed.
func (p *puller) beginStream(stream graphsync.Stream, properties []string) error {
	begins := false
	err := p.tenant.View(func(tx *state.Tx) error {
		cursor := tx.Cursors().Get(stream)
		// A link tracks only what its round selected (delta overview): other properties, other round.
		begins = cursor.Round == 0 || cursor.Select != graphsync.SelectKey(properties) || p.opts.Full || cursor.Miscounted ||
			cursor.Unverified && cursor.Complete && !tx.SyncInfo(p.sync.Name).FirstRun.IsZero()
		return nil
	})
	if err != nil || !begins {
		return err
	}
	return p.tenant.Update(func(tx *state.Tx) error { return p.beginRound(tx, stream, properties) })
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

// A readPage is a page and the link it was read from.
type readPage struct {
	*graphsync.Page
	from string
}

// weight is what the page counts of bytesAhead.
func (r readPage) weight() int64 { return min(int64(r.Bytes), bytesAhead) }

// followStream reads pages until the delta link. Reading the next page overlaps with
// committing the last ones; pages that have piled up share one commit. A cursor never runs
// ahead of its data, because both are in the same transaction.
func (p *puller) followStream(ctx context.Context, stream graphsync.Stream, properties []string, order *readOrder) error {
	start, err := p.cursor(stream)
	if err != nil {
		return err
	}
	pages := make(chan readPage, pagesAhead)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(pages)
		return p.readPages(ctx, stream, properties, start, order, pages)
	})
	group.Go(func() error {
		committed := start.Pages
		for page := range pages {
			batch := gather(page, pages, commitSize(committed))
			if err := p.commitPages(stream, start.Round, batch, order); err != nil {
				return err
			}
			committed += uint64(len(batch))
			for _, page := range batch {
				order.ahead.Release(page.weight())
			}
		}
		return nil
	})
	return group.Wait()
}

// readPages reads the pages of a round from where it stands.
func (p *puller) readPages(ctx context.Context, stream graphsync.Stream, properties []string, start state.Cursor, order *readOrder, pages chan<- readPage) error {
	// What waits for the beginning of an incremental round waits for its end: it is short, and may hold losses.
	full := start.Full && !start.Complete || stream == graphsync.Users
	link, loop, lists := start.Link, newLoopDetector(stream), p.mayList(stream, properties, start)
	for n := start.Pages; ; n++ {
		if lists && n >= listAfter {
			return errChangeOver
		}
		page, err := p.source.DeltaPage(ctx, stream, properties, link)
		if err != nil {
			return fmt.Errorf("read %s: %w", stream, err)
		}
		if err := loop.add(page); err != nil {
			return err
		}
		if full {
			order.of(stream).begun.reach()
		}
		read := readPage{page, link}
		if err := order.ahead.Acquire(ctx, read.weight()); err != nil {
			return err
		}
		select {
		case pages <- read:
		case <-ctx.Done():
			return ctx.Err()
		}
		if page.Next == "" {
			return nil
		}
		link = page.Next
	}
}

// commitPages stores pages that were read in a round, one after the other. A page that does not follow
// the one before it in the same round is an error.
func (p *puller) commitPages(stream graphsync.Stream, round uint32, pages []readPage, order *readOrder) error {
	kept, err := p.keepsLink(stream, round, pages)
	if err != nil {
		return fmt.Errorf("store %s: %w", stream, err)
	}
	var stats state.PageStats
	store := func(tx *state.Tx) (err error) {
		c := tx.Cursors().Get(stream)
		link, all := c.Link, make([]*graphsync.Page, 0, len(pages))
		for _, page := range pages {
			if c.Round != round || link != page.from {
				return fmt.Errorf("a page of round %d does not follow what is stored of round %d; run the command again", round, c.Round)
			}
			link, all = page.Next, append(all, page.Page)
		}
		stats, err = tx.PutPages(stream, all, p.now, p.peers)
		return err
	}
	if !kept {
		if err := p.tenant.Update(store); err != nil {
			return fmt.Errorf("store %s: %w", stream, err)
		}
	}
	if stream == graphsync.Groups {
		order.losses.Add(int64(stats.Removed + stats.MembersRemoved))
	}
	for _, page := range pages {
		p.countPage(stream, page.Page, order)
	}
	p.ledger.reportProgress(string(stream), order.of(stream).objects, 0)
	return nil
}

// linkLife is how long a delta link is used again while nothing changes. Delta links of directory objects are good for
// seven days (delta query overview).
const linkLife = 12 * time.Hour

// keepsLink reports whether a round has told nothing, so that the link that it was read from does as well as
// the one it has given: a cycle in which nothing has changed writes nothing.
func (p *puller) keepsLink(stream graphsync.Stream, round uint32, pages []readPage) (bool, error) {
	if len(pages) != 1 || pages[0].Delta == "" || len(pages[0].Changes)+len(pages[0].Skipped) > 0 {
		return false, nil
	}
	c, err := p.cursor(stream)
	age := p.now.Sub(c.Completed)
	return err == nil && c.Complete && c.Round == round && c.Link == pages[0].from && age >= 0 && age < linkLife, err
}

// countPage counts a page that was committed.
func (p *puller) countPage(stream graphsync.Stream, page *graphsync.Page, order *readOrder) {
	order.of(stream).objects += len(page.Changes)
	p.ledger.readPage(len(page.Changes), page.Bytes)
	for _, bad := range page.Skipped {
		p.ledger.note("an entry of %s was not understood: %s: %s", stream, bad.ID, bad.Reason)
	}
}
