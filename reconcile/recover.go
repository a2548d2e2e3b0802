package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

// intend writes down what is about to be done, before any call: a change whose answer is lost,
// in a crash or on the way, is looked into by the next cycle.
func (c *cycle) intend(due []step) error {
	var intents []state.Intent
	var memberships []*storedAction
	for _, s := range due {
		a := s.action
		switch a.Op {
		case Members:
			memberships = append(memberships, a)
			continue
		case Unlink: // nothing is sent
			continue
		}
		intent := state.Intent{Kind: a.Kind, Source: a.SourceID, Op: string(a.Op), At: c.now}
		for j, path := range c.Sync.rules(a.Kind).Match {
			if j < len(a.Match) && a.Match[j] != "" {
				intent.Keys = append(intent.Keys, state.MatchKey{Attribute: path, Value: a.Match[j]})
			}
		}
		if a.TargetID != nil && a.Op != Adopt { // by which the account may be known when the response is lost
			intent.Keys = append(intent.Keys, identityChanges(&a.Action)...)
		}
		if intents = append(intents, intent); a.Op == Create {
			c.Store.BeginCreation(c.Sync.application(), c.owner(a.Kind, a.SourceID), creationValues(a))
		}
	}
	if err := c.intendMembers(memberships); err != nil || len(intents) == 0 {
		return err
	}
	return c.Tenant.Update(func(tx *state.Tx) error {
		for _, intent := range intents {
			if err := tx.PutIntent(c.Sync.Name, intent); err != nil {
				return err
			}
		}
		return nil
	})
}

// intendMembers marks the memberships that are about to be written: a change whose answer is
// lost is made again, also when the member is to leave by then.
func (c *cycle) intendMembers(actions []*storedAction) error {
	for len(actions) > 0 {
		err := c.Tenant.Update(func(tx *state.Tx) error {
			for n := 0; len(actions) > 0 && n < draftChunk; actions = actions[1:] {
				a := actions[0]
				n += len(a.Add) + len(a.Remove)
				for _, member := range slices.Concat(a.Add, a.Remove) {
					if err := tx.PutAppliedMember(c.Sync.Name, a.SourceID, member, unsure); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// recover looks into what a cycle was doing when it ended without knowing what came of it. An
// account that was being made or taken over is linked as our own when it is found, whatever has
// become of its person since; one that was being changed is read, so that what is compared is
// what it really is. Without this a person who left in between would keep an account.
func (c *cycle) recover(ctx context.Context) error {
	if err := c.clearFailed(); err != nil || c.opts.NoRefresh {
		return err
	}
	var open []state.Intent
	err := c.Tenant.View(func(tx *state.Tx) error {
		for intent := range tx.Intents(c.Sync.Name) {
			open = append(open, intent)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards the report
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(c.workers)
	for _, intent := range open {
		group.Go(func() error {
			err := c.lookInto(gctx, intent)
			if c.breaker.open(gctx, err) {
				return &silence{target: c.Sync.TargetName, last: err}
			}
			if failure := (*target.Error)(nil); gctx.Err() == nil && errors.As(err, &failure) && !failure.Code.Stops() {
				mu.Lock()
				defer mu.Unlock()
				return c.unread(intent, c.nameOfIntent(intent), err) // one record never stops the rest
			}
			if err != nil {
				return fmt.Errorf("look into what the last cycle did to %s %s: %w", intent.Kind, intent.Source, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (c *cycle) lookInto(ctx context.Context, intent state.Intent) error {
	var link state.Link
	linked := false
	err := c.Tenant.View(func(tx *state.Tx) (err error) {
		link, linked, err = tx.Link(c.Sync.Name, intent.Kind, intent.Source)
		return err
	})
	switch {
	case err != nil:
		return err
	case linked:
		return c.reread(ctx, intent, &link)
	}
	if op := Op(intent.Op); op != Create && op != Adopt { // the link was dropped since
		return c.settleIntent(intent, nil)
	}
	found, err := c.findIntended(ctx, intent)
	if err != nil {
		return err
	}
	return c.settleIntent(intent, found)
}

// reread brings a link to what its account is.
func (c *cycle) reread(ctx context.Context, intent state.Intent, link *state.Link) error {
	getter, ok := c.Target.(target.Getter)
	if !ok {
		return c.Tenant.Batch(func(tx *state.Tx) error { return tx.DeleteIntent(c.Sync.Name, intent.Kind, intent.Source) })
	}
	resource, err := getter.Get(ctx, target.Ref{Kind: targetKind(link.Kind), ID: link.TargetID})
	gone := target.CodeOf(err) == target.NotFound && err != nil
	if gone && link.Kind == graphsync.User && (!link.Active || intent.Op == string(Deactivate)) {
		return c.rereadHidden(intent, link)
	}
	if err != nil && !gone {
		return err
	}
	err = c.Tenant.Batch(func(tx *state.Tx) error {
		switch {
		case gone && link.Kind == graphsync.User: // whether the person has another account is looked into later
			if err := putMismatch(tx, c.Sync.Name, link, &mismatch{TargetID: link.TargetID, Gone: true, Run: c.run}); err != nil {
				return err
			}
		case gone:
			if err := loseLink(tx, c.Sync.Name, link.Kind, link.Source); err != nil {
				return err
			}
		case identityIn(tx, c.Sync, c.now, link, resource, intent.Keys) == foreign:
			m := mismatch{TargetID: link.TargetID, Shown: describe(link.Kind, c.Sync.rules(link.Kind), resource), Run: c.run}
			if err := putMismatch(tx, c.Sync.Name, link, &m); err != nil {
				return err
			}
		default:
			takeOverShown(c.Sync.rules(link.Kind), c.now, link, resource)
			if err := tx.PutLink(c.Sync.Name, *link); err != nil {
				return err
			}
		}
		if err := tx.AddPending(c.Sync.Name, state.PendingKey{Kind: link.Kind, ID: link.Source}); err != nil {
			return err
		}
		return tx.DeleteIntent(c.Sync.Name, link.Kind, link.Source)
	})
	if err == nil {
		c.Store.EndCreation(c.owner(link.Kind, link.Source))
	}
	if err == nil && gone && link.Kind != graphsync.User {
		return c.Store.Release(c.Sync.application(), link.TargetID, c.owner(link.Kind, link.Source))
	}
	return err
}

// rereadHidden settles the deactivation of an account that is not shown afterwards: an application may
// hide accounts that are off. It stays linked, so that a person who comes back gets it again.
func (c *cycle) rereadHidden(intent state.Intent, link *state.Link) error {
	return c.Tenant.Batch(func(tx *state.Tx) error {
		if link.Active {
			link.Active, link.InactiveSince = false, c.now
		}
		if err := tx.PutLink(c.Sync.Name, *link); err != nil {
			return err
		}
		if err := tx.AddPending(c.Sync.Name, state.PendingKey{Kind: link.Kind, ID: link.Source}); err != nil {
			return err
		}
		return tx.DeleteIntent(c.Sync.Name, link.Kind, link.Source)
	})
}

// takeOverShown takes over into a link what a resource is at present.
func takeOverShown(rules *Rules, now time.Time, link *state.Link, resource *target.Resource) {
	if link.Applied == nil {
		link.Applied = map[string]json.RawMessage{}
	}
	for _, attribute := range rules.Mapping.Attributes() {
		if attribute.OnCreateOnly() {
			continue
		}
		path := attribute.Path.String()
		value := resource.Value(attribute.Path)
		if value == nil {
			delete(link.Applied, path)
			continue
		}
		link.Applied[path] = canonical(link.Source, attribute, value)
		if text, ok := value.(string); ok {
			rekey(rules, link, path, text)
		}
	}
	if link.Kind == graphsync.User {
		link.Active = !inactive(resource)
		if link.Active {
			link.InactiveSince = time.Time{}
		} else if link.InactiveSince.IsZero() {
			link.InactiveSince = now
		}
	}
}

// findIntended looks for the account of an intent by its matching values. One that belongs to
// somebody else, or is not the only one, is not it.
func (c *cycle) findIntended(ctx context.Context, intent state.Intent) (*target.Resource, error) {
	for _, key := range intent.Keys {
		path, err := target.ParsePath(key.Attribute)
		if err != nil {
			return nil, err
		}
		found, err := c.Target.Find(ctx, targetKind(intent.Kind), path, key.Value)
		if err != nil {
			return nil, err
		}
		if len(found) != 1 {
			continue
		}
		owner, owned, err := c.Store.OwnerOf(c.Sync.application(), found[0].ID, intent.Kind)
		if err != nil {
			return nil, err
		}
		if owned && owner != c.owner(intent.Kind, intent.Source) || intendedAccount(c.Sync.rules(intent.Kind), intent).judge(&found[0]) == foreign {
			continue
		}
		if !owned && !c.Sync.Guard.provesCreation(&found[0], intent) {
			continue
		}
		if intent.Kind == graphsync.Group || !c.Sync.Scope.protects(&found[0]) {
			return &found[0], nil
		}
	}
	return nil, nil
}

// intendedAccount is what is known of the account of an intent: externalId decides where it is mapped.
func intendedAccount(rules *Rules, intent state.Intent) *account {
	link := state.Link{Kind: intent.Kind, Source: intent.Source, Applied: map[string]json.RawMessage{}}
	for _, key := range intent.Keys {
		link.Keys = append(link.Keys, matchKey(key.Attribute, key.Value))
		if path, err := target.ParsePath(key.Attribute); err == nil && isExternalID(path) {
			if mapped := mappedAt(rules, path); mapped != nil {
				link.Applied[mapped.Path.String()] = canonical(intent.Source, mapped, key.Value)
			}
		}
	}
	return knownAccount(&link, rules)
}

func (c *cycle) settleIntent(intent state.Intent, found *target.Resource) error {
	if found != nil {
		owner := c.owner(intent.Kind, intent.Source)
		if present, err := c.Store.Claim(c.Sync.application(), found.ID, owner); err != nil || present != owner {
			return err
		}
	}
	err := c.Tenant.Batch(func(tx *state.Tx) error {
		_, linked, err := tx.Link(c.Sync.Name, intent.Kind, intent.Source)
		if err != nil {
			return err
		}
		if found != nil && !linked {
			link := state.Link{Kind: intent.Kind, Source: intent.Source, TargetID: found.ID, Active: intent.Kind == graphsync.Group || !inactive(found),
				Since: c.now, Applied: map[string]json.RawMessage{}, LastOp: intent.Op, LastAt: intent.At}
			for _, key := range intent.Keys {
				link.Keys = append(link.Keys, matchKey(key.Attribute, key.Value))
				link.Key = key.Value
			}
			if err := tx.PutLink(c.Sync.Name, link); err != nil {
				return err
			}
			if err := tx.AddPending(c.Sync.Name, state.PendingKey{Kind: intent.Kind, ID: intent.Source}); err != nil {
				return err
			}
		}
		return tx.DeleteIntent(c.Sync.Name, intent.Kind, intent.Source)
	})
	if err == nil {
		c.Store.EndCreation(c.owner(intent.Kind, intent.Source))
	}
	return err
}
