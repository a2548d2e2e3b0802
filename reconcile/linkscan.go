package reconcile

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// listWorth is how many accounts are read in a list rather than one asked for: half of a usual
// page. The size of an application is known only by listing it, and most of one that many
// tenants share is none of this tenant's.
const listWorth = 50

// askChunk is how many accounts are asked for between two visits.
const askChunk = 200

// An observedLink is a link, and what the application shows of its account: nil when there is none.
type observedLink struct {
	link  state.Link
	shown *target.Resource
}

// A lookup asks for the account of one link. known is false when the application does not say
// whether there is one.
type lookup func(ctx context.Context, link *state.Link) (shown *target.Resource, known bool, err error)

// A linkScan goes through the links of a kind with what the application shows of each: listed as
// long as that is worth it, and then asked for one by one. Nothing of other accounts is kept.
type linkScan struct {
	sync    *Sync
	workers int
	tenant  *state.Tenant
	target  target.Adapter
	ledger  *ledger
	kind    graphsync.Kind
	ask     lookup
	visit   func([]observedLink) error
	// strays takes the accounts of a page that are not linked; nil: they are of no interest.
	strays func([]target.Resource) error

	found []observedLink // listed, and not yet visited
}

func (s *linkScan) run(ctx context.Context) error {
	linked := 0
	err := s.tenant.Update(func(tx *state.Tx) error {
		linked, _ = tx.Links(s.sync.Name).Count(s.kind)
		return tx.Space(s.sync.Name, listingSpace).Clear()
	})
	if err != nil || linked == 0 && s.strays == nil {
		return err
	}
	if lister, ok := s.target.(target.Lister); ok {
		worth, err := s.worth()
		if err != nil {
			return err
		}
		if err := s.list(ctx, lister, worth); err != nil {
			return err
		}
	}
	if err := s.lookUpRest(ctx); err != nil {
		return err
	}
	return s.tenant.Update(func(tx *state.Tx) error { return tx.Space(s.sync.Name, listingSpace).Clear() })
}

// worth is how many accounts are listed at most.
func (s *linkScan) worth() (worth int, err error) {
	err = s.tenant.View(func(tx *state.Tx) error {
		linked, _ := tx.Links(s.sync.Name).Count(s.kind)
		if s.strays != nil {
			linked = max(linked, min(tx.Objects().Count(s.kind), knownWorth))
		}
		worth = linked * listWorth
		return nil
	})
	return worth, err
}

// list visits the links whose accounts are among the first of a list.
func (s *linkScan) list(ctx context.Context, lister target.Lister, worth int) error {
	read := 0
	err := lister.List(ctx, targetKind(s.kind), func(page []target.Resource) error {
		if read += len(page); read > worth {
			if s.strays != nil {
				s.ledger.note("target %s has more than %d accounts: the rest was not looked through for those without a link", s.sync.TargetName, worth)
			}
			return errStop
		}
		s.ledger.reportProgress("comparing", read, 0)
		return s.page(page)
	})
	if err != nil && !errors.Is(err, errStop) {
		return fmt.Errorf("list the %ss of target %s: %w", s.kind, s.sync.TargetName, err)
	}
	return s.flush()
}

// page picks out of a page what is linked.
func (s *linkScan) page(page []target.Resource) error {
	var unlinked []target.Resource
	err := s.tenant.View(func(tx *state.Tx) error {
		for i := range page {
			source, ours := tx.Links(s.sync.Name).ByTarget(s.kind, page[i].ID)
			if !ours {
				unlinked = append(unlinked, page[i])
				continue
			}
			link, linked, err := tx.Links(s.sync.Name).Get(s.kind, source)
			if err != nil {
				return err
			}
			if linked && s.visit != nil {
				s.found = append(s.found, observedLink{link, &page[i]})
			}
		}
		return nil
	})
	if err == nil && s.strays != nil && len(unlinked) > 0 {
		err = s.strays(unlinked)
	}
	if err != nil || len(s.found) < plan.DraftChunk {
		return err
	}
	return s.flush()
}

// flush visits what was listed. The visit comes before the mark: an account may be shown twice.
func (s *linkScan) flush() error {
	if len(s.found) == 0 {
		return nil
	}
	found := s.found
	s.found = nil
	if err := s.visit(found); err != nil {
		return err
	}
	return s.tenant.Update(func(tx *state.Tx) error {
		seen := tx.Space(s.sync.Name, listingSpace)
		for i := range found {
			if err := seen.Put(found[i].link.Source[:], nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// lookUpRest asks for the accounts that were not listed.
func (s *linkScan) lookUpRest(ctx context.Context) error {
	var after graphsync.ID
	return inChunks(s.tenant, askChunk, func(tx *state.Tx, add func(state.Link) bool) error {
		seen := tx.Space(s.sync.Name, listingSpace)
		for link, err := range tx.Links(s.sync.Name).All(s.kind, after) {
			if err != nil {
				return err
			}
			if after = link.Source; seen.Has(link.Source[:]) {
				continue
			}
			if !add(link) {
				break
			}
		}
		return nil
	}, func(links []state.Link) error {
		found, err := askFor(ctx, s.workers, links, s.ask)
		if err != nil {
			return err
		}
		return s.visit(found)
	})
}

// askFor puts a question for each of some links, and leaves out those that were not answered.
func askFor(ctx context.Context, workers int, links []state.Link, ask lookup) ([]observedLink, error) {
	all, known := make([]observedLink, len(links)), make([]bool, len(links))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i := range links {
		group.Go(func() (err error) {
			all[i].link = links[i]
			all[i].shown, known[i], err = ask(gctx, &links[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	found := all[:0]
	for i := range all {
		if known[i] {
			found = append(found, all[i])
		}
	}
	return found, nil
}

// knownWorth bounds how many accounts are looked through for orphans by the size of the
// directory, where few accounts are linked: an application may be shared with many tenants.
const knownWorth = 2000
