package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

// intend writes down which accounts are about to be made or taken over, before any call: one
// whose answer is lost in a crash is looked for by the next cycle and known as ours.
func (c *cycle) intend(actions []storedAction) error {
	var intents []state.Intent
	for i := range actions {
		a := &actions[i]
		if a.Op != Create && a.Op != Adopt || a.Held != nil {
			continue
		}
		intent := state.Intent{Kind: a.Kind, Source: a.SourceID, Op: string(a.Op), At: c.now}
		for j, path := range c.rules(a.Kind).Match {
			if j < len(a.Match) && a.Match[j] != "" {
				intent.Keys = append(intent.Keys, state.MatchKey{Attribute: path, Value: a.Match[j]})
			}
		}
		intents = append(intents, intent)
	}
	if len(intents) == 0 {
		return nil
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

// recover looks for accounts that a cycle was making or taking over when it ended without
// knowing whether it had. One that is found is linked as our own, whatever has become of its
// person since; without this a person who left in between would keep an account nobody knows of.
func (c *cycle) recover(ctx context.Context) error {
	if c.opts.NoRefresh {
		return nil
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
	for _, intent := range open {
		found, err := c.findIntended(ctx, intent)
		if code := target.CodeOf(err); err != nil && ctx.Err() == nil && code != target.Unavailable && !code.Stops() {
			c.note("could not look whether an account was made for %s %s, which is tried again: %v", intent.Kind, intent.Source, err)
			continue // one record never stops the rest
		}
		if err != nil {
			return fmt.Errorf("look whether the last cycle made an account for %s %s: %w", intent.Kind, intent.Source, err)
		}
		if err := c.settleIntent(intent, found); err != nil {
			return err
		}
	}
	return nil
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
		owner, owned, err := c.Store.OwnerOf(c.Sync.TargetName, found[0].ID, intent.Kind)
		if err != nil {
			return nil, err
		}
		if owned && owner != c.owner(intent.Kind, intent.Source) || contradicts(&found[0], intent) {
			continue
		}
		if intent.Kind == graphsync.Group || !c.Sync.Scope.protects(&found[0]) {
			return &found[0], nil
		}
	}
	return nil, nil
}

// contradicts tells whether a resource carries the externalId of somebody else.
func contradicts(r *target.Resource, intent state.Intent) bool {
	theirs, _ := r.Attributes["externalId"].(string)
	for _, key := range intent.Keys {
		if strings.EqualFold(key.Attribute, "externalId") && theirs != "" && theirs != key.Value {
			return true
		}
	}
	return false
}

func (c *cycle) settleIntent(intent state.Intent, found *target.Resource) error {
	if found != nil {
		owner := c.owner(intent.Kind, intent.Source)
		if present, err := c.Store.Claim(c.Sync.TargetName, found.ID, owner); err != nil || present != owner {
			return err
		}
	}
	return c.Tenant.Update(func(tx *state.Tx) error {
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
}
