package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

// compare makes a full cycle complete: the links are compared with what the application really
// holds, so that an account that was changed or deleted by hand is put right. An account that
// the list leaves out is believed gone when it is not found under its id either. A value that
// the application does not show is not taken for a change: it may never have kept it.
func (c *cycle) compare(ctx context.Context) error {
	lister, lists := c.Target.(target.Lister)
	getter, gets := c.Target.(target.Getter)
	if !c.opts.Full || c.partial() || !lists || !gets {
		return nil
	}
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		linked := 0
		err := c.Tenant.View(func(tx *state.Tx) error { linked, _ = tx.CountLinks(c.Sync.Name, kind); return nil })
		if err != nil {
			return err
		}
		if linked == 0 {
			continue
		}
		m, err := c.newMatcher(kind)
		if err != nil {
			return err
		}
		if err := m.list(ctx, lister); err != nil {
			return err
		}
		var after graphsync.ID
		for more := true; more; {
			var missing []state.Link
			if missing, after, more, err = c.compareChunk(kind, after); err != nil {
				return err
			}
			for i := range missing {
				if err := c.confirmGone(ctx, getter, &missing[i]); err != nil {
					return err
				}
			}
		}
		if err := m.clearList(); err != nil {
			return err
		}
	}
	return nil
}

// compareChunk compares some links with the list and returns those that are not in it.
func (c *cycle) compareChunk(kind graphsync.Kind, after graphsync.ID) (missing []state.Link, last graphsync.ID, more bool, err error) {
	err = c.Tenant.Update(func(tx *state.Tx) error {
		missing = nil
		var links []state.Link
		for link, err := range tx.Links(c.Sync.Name, kind, after) {
			if err != nil {
				return err
			}
			if links = append(links, link); len(links) == draftChunk {
				break
			}
		}
		listing := tx.Space(c.Sync.Name, listingSpace)
		for i := range links {
			raw := listing.Get([]byte(links[i].TargetID))
			if raw == nil {
				missing = append(missing, links[i])
				continue
			}
			var resource target.Resource
			if err := decode(raw, &resource); err != nil {
				return err
			}
			if !c.drifted(&links[i], &resource) {
				continue
			}
			if err := tx.PutLink(c.Sync.Name, links[i]); err != nil {
				return err
			}
		}
		if more = len(links) == draftChunk; len(links) > 0 {
			last = links[len(links)-1].Source
		}
		return nil
	})
	return missing, last, more, err
}

// drifted brings a link to what its account shows, and reports whether that was anything new.
func (c *cycle) drifted(link *state.Link, resource *target.Resource) bool {
	changed := false
	for _, attribute := range c.rules(link.Kind).Mapping.Attributes() {
		path := attribute.Path.String()
		raw, written := link.Applied[path]
		shown := attribute.Own(resource.Value(attribute.Path))
		if !written || shown == nil || attribute.OnCreateOnly() {
			continue
		}
		var applied any
		if json.Unmarshal(raw, &applied) == nil && attribute.Equal(applied, shown) {
			continue
		}
		link.Applied[path] = canonical(link.Source, attribute, shown)
		changed = true
	}
	if _, told := resource.Attributes["active"]; told && link.Kind == graphsync.User && link.Active == inactive(resource) {
		link.Active, link.InactiveSince = !link.Active, time.Time{}
		if !link.Active {
			link.InactiveSince = c.now
		}
		changed = true
	}
	return changed
}

// confirmGone asks for an account that a list left out, and forgets the link when there is none.
func (c *cycle) confirmGone(ctx context.Context, getter target.Getter, link *state.Link) error {
	_, err := getter.Get(ctx, target.Ref{Kind: targetKind(link.Kind), ID: link.TargetID})
	switch code := target.CodeOf(err); {
	case err == nil:
		return nil
	case code != target.NotFound && (code.Stops() || ctx.Err() != nil):
		return fmt.Errorf("look for account %s in target %s: %w", link.TargetID, c.Sync.TargetName, err)
	case code != target.NotFound:
		c.note("account %s of %s was not in the target's list and could not be asked for: %v", link.TargetID, link.Key, err)
		return nil
	}
	err = c.Tenant.Update(func(tx *state.Tx) error { return c.forget(tx, link.Kind, link.Source) })
	if err != nil {
		return err
	}
	c.note("the account of %s (%s) was deleted in the target", link.Key, link.TargetID)
	return c.Store.Release(c.Sync.TargetName, link.TargetID, c.owner(link.Kind, link.Source))
}
