package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/state"
)

// The first round of users of a large directory is one chain of pages of 200: 17 minutes for a million at 200 ms
// a page. Lists have 999 on a page and can be read side by side, so that such a round changes over:
// the delta link of now is kept, users are listed by the beginning of their user principal name, and
// then what has changed since the link is read from it.
//
// A list may come from a replica that lags behind. What it lacks is not removed, since
// only a first read is done this way; its removals are held whatever the configuration says (guard first_run), and
// the next cycle reads a plain round before it decides anything. Where the parts do not add up to the count, the
// list does not fit it, or Graph refuses a request, the plain round is read at once.
const (
	listFrom      = 20_000 // users; for fewer the plain round is as good
	listAfter     = 20     // pages of the plain round after which the directory is counted
	listedManager = "manager"
)

// errChangeOver ends a plain round that is continued by lists.
var errChangeOver = errors.New("the directory is large: list it")

// mayList reports whether a round of users may change over to lists: a first one, since a list proves no
// absence. The manager of a user is no part of a list.
func (s *streamReader) mayList(c state.Cursor) bool {
	_, can := s.source.(graphsync.Lister)
	return can && s.stream == graphsync.Users && c.Round == 1 && c.Full && !c.Complete && !s.full && !s.plain && !containsFold(s.properties, listedManager)
}

// beginListing counts the users and prepares the lists. Where that is of no use or not possible, the
// plain round continues.
func (s *streamReader) beginListing(ctx context.Context) error {
	source := s.source.(graphsync.Lister)
	token, total, parts, err := prepareLists(ctx, source, s.properties)
	switch {
	case err != nil && !refusesLists(err):
		return fmt.Errorf("prepare to list users: %w", err)
	case len(parts) == 0:
		s.log.Info("users are read page by page", "tenant", s.tenantID, "counted", total, "error", err)
		s.plain = true
		return nil
	}
	return s.tenant.Update(func(tx *state.Tx) error {
		return tx.Cursors().BeginListing(graphsync.SelectKey(s.properties), token, total, parts, s.now)
	})
}

// prepareLists takes the delta link of now, which is older than all lists, and divides the users. No parts
// without an error: the directory is small, or its users cannot be divided.
func prepareLists(ctx context.Context, source graphsync.Lister, properties []string) (token string, total int, parts []state.Part, err error) {
	if total, err = source.CountUsers(ctx, ""); err != nil || total < listFrom {
		return "", total, nil, err
	}
	if token, err = source.Latest(ctx, graphsync.Users, properties); err != nil {
		return "", total, nil, err
	}
	for range 2 { // users may be created while they are counted
		if total, err = source.CountUsers(ctx, ""); err != nil {
			return "", total, nil, err
		}
		if parts, err = divide(ctx, total, source.CountUsers); err != nil || len(parts) > 0 {
			return token, total, parts, err
		}
	}
	return token, total, nil, nil
}

// refusesLists reports whether an error is about counting and listing as such, so that the plain round has
// to do, and not about Graph being unavailable.
func refusesLists(err error) bool {
	if errors.Is(err, graphsync.ErrResync) || errors.Is(err, errLoop) {
		return true
	}
	e := (*graphsync.Error)(nil)
	if !errors.As(err, &e) {
		return false
	}
	switch e.Class {
	case graphsync.BadResponse, graphsync.PermissionMissing, graphsync.Configuration:
		return true
	}
	return e.Status == http.StatusBadRequest || e.Status == http.StatusNotFound || e.Status == http.StatusNotImplemented
}

// A listedPage is a page of a part of the list and the link it was read from.
type listedPage struct {
	readPage readPage
	prefix   string
}

// listUsers reads the parts that are not read yet, several at a time, and commits their pages as they come.
func (s *streamReader) listUsers(ctx context.Context) error {
	var round uint32
	var parts []state.Part
	err := s.tenant.View(func(tx *state.Tx) error {
		round = tx.Cursors().Get(graphsync.Users).Round
		for part := range tx.Cursors().Parts() {
			if !part.Done {
				parts = append(parts, part)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(parts, func(a, b state.Part) int { return cmp.Compare(b.Count, a.Count) })
	pages := make(chan listedPage, 2*listsAtOnce)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(pages)
		readers, ctx := errgroup.WithContext(ctx)
		readers.SetLimit(listsAtOnce)
		for _, part := range parts {
			readers.Go(func() error { return s.readPart(ctx, part, pages) })
		}
		return readers.Wait()
	})
	group.Go(func() error {
		for page := range pages {
			batch := gather(page, pages, cap(pages))
			if err := s.commitListed(round, batch); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	s.took.note("the users were listed side by side, because a first read page by page takes long; the next cycle reads them page by page, and removals of this one are held")
	return s.tenant.Update(func(tx *state.Tx) error { return tx.Cursors().EndListing() })
}

// readPart reads the pages of one part from where it stands.
func (s *streamReader) readPart(ctx context.Context, part state.Part, pages chan<- listedPage) error {
	source, loop := s.source.(graphsync.Lister), newLoopDetector(graphsync.Users)
	for link := part.Link; ; {
		page, err := source.ListUsers(ctx, s.properties, part.Prefix, link)
		if err != nil {
			return fmt.Errorf("list users that begin with %q: %w", part.Prefix, err)
		}
		if err := loop.add(page); err != nil {
			return err
		}
		s.progress.begun.reach()
		read := listedPage{readPage{page, link}, part.Prefix}
		if err := s.order.ahead.Acquire(ctx, read.readPage.weight()); err != nil {
			return err
		}
		select {
		case pages <- read:
		case <-ctx.Done():
			return ctx.Err()
		}
		if link = page.Next; link == "" {
			return nil
		}
	}
}

// commitListed stores pages of lists, and where each part has come to.
func (s *streamReader) commitListed(round uint32, pages []listedPage) error {
	err := s.tenant.Update(func(tx *state.Tx) error {
		listed := make([]state.ListPage, len(pages))
		for i, page := range pages {
			listed[i] = state.ListPage{Prefix: page.prefix, From: page.readPage.from, Page: page.readPage.Page}
		}
		return tx.PutListPages(round, listed, s.tenantSyncs)
	})
	if err != nil {
		return fmt.Errorf("store users: %w", err)
	}
	for _, page := range pages {
		s.order.ahead.Release(page.readPage.weight())
		s.countPage(page.readPage.Page)
	}
	s.took.report(string(graphsync.Users), s.progress.objects)
	return nil
}
