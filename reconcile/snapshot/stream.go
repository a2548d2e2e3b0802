package snapshot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// A streamReader brings users, or groups with their members, up to date from their delta stream.
type streamReader struct {
	stream      graphsync.Stream
	properties  []string // that are selected
	source      graphsync.Source
	tenant      *state.Tenant
	tenantID    graphsync.ID
	sync        string   // whose cycle it is
	tenantSyncs []string // all syncs of the tenant
	full        bool
	now         time.Time
	log         *slog.Logger
	took        *tally
	order       *readOrder
	progress    *listProgress // of this stream
	plain       bool          // users are not listed: it is of no use, or not possible
}

// bringUpToDate reads the stream to its delta link and asks Graph about what its pages have left open.
func (s *streamReader) bringUpToDate(ctx context.Context) error {
	if err := s.read(ctx); err != nil {
		return err
	}
	if s.stream == graphsync.Groups {
		if err := s.order.users.read.wait(ctx); err != nil { // members may be of any kind of user
			return err
		}
		if err := s.placeMembers(); err != nil {
			return err
		}
	}
	direct := &directReader{source: s.source, tenant: s.tenant, tenantSyncs: s.tenantSyncs, losses: &s.order.losses}
	if err := direct.resolve(ctx, s.stream.Kind(), s.properties); err != nil {
		return err
	}
	absences := &absenceConfirmer{stream: s.stream, source: s.source, tenant: s.tenant, tenantSyncs: s.tenantSyncs, direct: direct, took: s.took}
	if err := absences.confirm(ctx); err != nil {
		return err
	}
	s.progress.confirmed.reach()
	return nil
}

// placeMembers takes in the members whose type was not known when their page was committed.
func (s *streamReader) placeMembers() error {
	open := false
	err := s.tenant.View(func(tx *state.Tx) error { open = tx.Members().HaveOpen(); return nil })
	if err != nil || !open {
		return err
	}
	return s.tenant.Update(func(tx *state.Tx) error { return tx.Members().PlaceOpen(s.tenantSyncs) })
}

// read follows the stream to its delta link. A refused link begins a new round.
func (s *streamReader) read(ctx context.Context) error {
	if err := s.begin(); err != nil {
		return err
	}
	for restarts := 0; ; restarts++ {
		err := s.readRound(ctx)
		if errors.Is(err, graphsync.ErrResync) && restarts < restartLimit {
			s.log.Info("the round cannot be continued, reading everything again", "tenant", s.tenantID, "stream", s.stream, "error", err)
			err = s.tenant.Update(s.beginRound)
			if err == nil {
				continue
			}
		}
		if errors.Is(err, errLoop) {
			return errors.Join(err, s.tenant.Update(s.beginRound))
		}
		if err != nil {
			return err
		}
		if s.stream == graphsync.Groups {
			if err := s.tenant.IndexMembers(); err != nil {
				return fmt.Errorf("store groups: %w", err)
			}
		}
		s.progress.begun.reach()
		s.progress.read.reach()
		return nil
	}
}

// readRound reads the round to its end, by lists where that is faster; see listusers.go.
func (s *streamReader) readRound(ctx context.Context) error {
	for {
		cursor, err := s.cursor()
		if err != nil {
			return err
		}
		if cursor.Listing {
			switch err := s.listUsers(ctx); {
			case err != nil && refusesLists(err):
				return fmt.Errorf("%w: %w", graphsync.ErrResync, err)
			case err != nil:
				return err
			}
			continue
		}
		err = s.follow(ctx)
		if errors.Is(err, errChangeOver) {
			err = s.beginListing(ctx)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if cursor, err = s.cursor(); err == nil && cursor.Miscounted {
			err = fmt.Errorf("%w: %d users were listed and %d were counted", graphsync.ErrResync, cursor.Listed, cursor.Counted)
		}
		return err
	}
}

func (s *streamReader) cursor() (c state.Cursor, err error) {
	err = s.tenant.View(func(tx *state.Tx) error {
		c = tx.Cursors().Get(s.stream)
		return nil
	})
	return c, err
}

// begin begins a round where the stored link cannot be followed.
func (s *streamReader) begin() error {
	begins := false
	err := s.tenant.View(func(tx *state.Tx) error {
		cursor := tx.Cursors().Get(s.stream)
		// A link tracks only what its round selected (delta overview): other properties, other round.
		begins = cursor.Round == 0 || cursor.Select != graphsync.SelectKey(s.properties) || s.full || cursor.Miscounted ||
			cursor.Unverified && cursor.Complete && !tx.SyncInfo(s.sync).FirstRun.IsZero()
		return nil
	})
	if err != nil || !begins {
		return err
	}
	return s.tenant.Update(s.beginRound)
}

func (s *streamReader) beginRound(tx *state.Tx) error {
	if err := tx.Cursors().BeginRound(s.stream, graphsync.SelectKey(s.properties), s.now); err != nil {
		return err
	}
	// A new round tells the present state of everything: everybody is evaluated when it is done.
	return setEverything(tx, s.tenantSyncs)
}

// A readPage is a page and the link it was read from.
type readPage struct {
	*graphsync.Page
	from string
}

// weight is what the page counts of bytesAhead.
func (r readPage) weight() int64 { return min(int64(r.Bytes), bytesAhead) }

// follow reads pages until the delta link. Reading the next page overlaps with
// committing the last ones; pages that have piled up share one commit. A cursor never runs
// ahead of its data, because both are in the same transaction.
func (s *streamReader) follow(ctx context.Context) error {
	start, err := s.cursor()
	if err != nil {
		return err
	}
	pages := make(chan readPage, pagesAhead)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(pages)
		return s.readPages(ctx, start, pages)
	})
	group.Go(func() error {
		committed := start.Pages
		for page := range pages {
			batch := gather(page, pages, commitSize(committed))
			if err := s.commitPages(start.Round, batch); err != nil {
				return err
			}
			committed += uint64(len(batch))
			for _, page := range batch {
				s.order.ahead.Release(page.weight())
			}
		}
		return nil
	})
	return group.Wait()
}

// readPages reads the pages of a round from where it stands.
func (s *streamReader) readPages(ctx context.Context, start state.Cursor, pages chan<- readPage) error {
	// What waits for the beginning of an incremental round waits for its end: it is short, and may hold losses.
	full := start.Full && !start.Complete || s.stream == graphsync.Users
	link, loop, lists := start.Link, newLoopDetector(s.stream), s.mayList(start)
	for n := start.Pages; ; n++ {
		if lists && n >= listAfter {
			return errChangeOver
		}
		page, err := s.source.DeltaPage(ctx, s.stream, s.properties, link)
		if err != nil {
			return fmt.Errorf("read %s: %w", s.stream, err)
		}
		if err := loop.add(page); err != nil {
			return err
		}
		if full {
			s.progress.begun.reach()
		}
		read := readPage{page, link}
		if err := s.order.ahead.Acquire(ctx, read.weight()); err != nil {
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
func (s *streamReader) commitPages(round uint32, pages []readPage) error {
	kept, err := s.keepsLink(round, pages)
	if err != nil {
		return fmt.Errorf("store %s: %w", s.stream, err)
	}
	var stats state.PageStats
	store := func(tx *state.Tx) (err error) {
		c := tx.Cursors().Get(s.stream)
		link, all := c.Link, make([]*graphsync.Page, 0, len(pages))
		for _, page := range pages {
			if c.Round != round || link != page.from {
				return fmt.Errorf("a page of round %d does not follow what is stored of round %d; run the command again", round, c.Round)
			}
			link, all = page.Next, append(all, page.Page)
		}
		stats, err = tx.PutPages(s.stream, all, s.now, s.tenantSyncs)
		return err
	}
	if !kept {
		if err := s.tenant.Update(store); err != nil {
			return fmt.Errorf("store %s: %w", s.stream, err)
		}
	}
	if s.stream == graphsync.Groups {
		s.order.losses.Add(int64(stats.Removed + stats.MembersRemoved))
	}
	for _, page := range pages {
		s.countPage(page.Page)
	}
	s.took.report(string(s.stream), s.progress.objects)
	return nil
}

// linkLife is how long a delta link is used again while nothing changes. Delta links of directory objects are good for
// seven days (delta query overview).
const linkLife = 12 * time.Hour

// keepsLink reports whether a round has told nothing, so that the link that it was read from does as well as
// the one it has given: a cycle in which nothing has changed writes nothing.
func (s *streamReader) keepsLink(round uint32, pages []readPage) (bool, error) {
	if len(pages) != 1 || pages[0].Delta == "" || len(pages[0].Changes)+len(pages[0].Skipped) > 0 {
		return false, nil
	}
	c, err := s.cursor()
	age := s.now.Sub(c.Completed)
	return err == nil && c.Complete && c.Round == round && c.Link == pages[0].from && age >= 0 && age < linkLife, err
}

// countPage counts a page that was committed.
func (s *streamReader) countPage(page *graphsync.Page) {
	s.progress.objects += len(page.Changes)
	s.took.page(s.stream, page)
}
