package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A recovery finds out what an interrupted cycle has done.
type recovery struct {
	sync    *Sync
	opts    Options
	runID   string
	now     time.Time
	workers int
	store   *state.Store
	tenant  *state.Tenant
	target  target.Adapter
	breaker *breaker
	ledger  *ledger
	owners  *ownership.Accounts

	successors *successorFinder
}

// recover looks into what a cycle was doing when it ended without knowing what came of it. An
// account that was being made or taken over is linked as our own when it is found, whatever
// happened to its user since; one that was being changed is read, so that what is compared is
// what it really is. Without this a person who left in between would keep an account.
func (r *recovery) recover(ctx context.Context) error {
	if err := r.clearFailed(); err != nil || r.opts.NoRefresh {
		return err
	}
	var open []state.Intent
	err := r.tenant.View(func(tx *state.Tx) error {
		for intent := range tx.Intents(r.sync.Name).All() {
			open = append(open, intent)
		}
		return nil
	})
	if err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(r.workers)
	for _, intent := range open {
		group.Go(func() error {
			err := r.lookInto(gctx, intent)
			if r.breaker.open(gctx, err) {
				return &breakerOpenError{target: r.sync.TargetName, last: err}
			}
			if failure := (*target.Error)(nil); gctx.Err() == nil && errors.As(err, &failure) && !failure.Code.Stops() {
				return r.unread(intent, r.nameOfIntent(intent), err) // one record never stops the rest
			}
			if err != nil {
				return fmt.Errorf("look into what the last cycle did to %s %s: %w", intent.Kind, intent.Source, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (r *recovery) lookInto(ctx context.Context, intent state.Intent) error {
	var link state.Link
	linked := false
	err := r.tenant.View(func(tx *state.Tx) (err error) {
		link, linked, err = tx.Links(r.sync.Name).Get(intent.Kind, intent.Source)
		return err
	})
	switch {
	case err != nil:
		return err
	case linked:
		return r.reread(ctx, intent, &link)
	}
	if op := plan.Op(intent.Op); op != plan.Create && op != plan.Adopt { // the link was dropped since
		return r.resolveIntent(intent, nil)
	}
	found, err := r.findIntended(ctx, intent)
	if err != nil {
		return err
	}
	return r.resolveIntent(intent, found)
}

// reread brings a link to what its account is.
func (r *recovery) reread(ctx context.Context, intent state.Intent, link *state.Link) error {
	getter, ok := r.target.(target.Getter)
	if !ok {
		return r.tenant.Batch(func(tx *state.Tx) error { return r.opts.records(tx, r.sync).deleteIntent(intent.Kind, intent.Source) })
	}
	resource, err := getter.Get(ctx, target.Ref{Kind: targetKind(link.Kind), ID: link.TargetID})
	gone := target.CodeOf(err) == target.NotFound && err != nil
	if gone && link.Kind == graphsync.User && (!link.Active || intent.Op == string(plan.Deactivate)) {
		return r.rereadHidden(ctx, intent, link)
	}
	if err != nil && !gone {
		return err
	}
	err = r.tenant.Batch(func(tx *state.Tx) error {
		switch {
		case gone && link.Kind == graphsync.User: // whether the person has another account is looked into later
			if err := r.opts.records(tx, r.sync).putMismatch(link, &mismatch{TargetID: link.TargetID, Gone: true, Run: r.runID}); err != nil {
				return err
			}
		case gone:
			if err := r.opts.records(tx, r.sync).loseLink(link.Kind, link.Source); err != nil {
				return err
			}
		case identityIn(tx, r.sync, r.now, link, resource, intent.Keys) == desired.Foreign:
			m := mismatch{TargetID: link.TargetID, Shown: desired.Describe(link.Kind, r.sync.rules(link.Kind), resource), Run: r.runID}
			if err := r.opts.records(tx, r.sync).putMismatch(link, &m); err != nil {
				return err
			}
		default:
			before, was := plan.Encode(link), *link
			was.Applied = maps.Clone(link.Applied)
			updateShown(r.sync.rules(link.Kind), r.now, link, resource)
			if bytes.Equal(before, plan.Encode(link)) && r.waits(tx, link) {
				return r.opts.records(tx, r.sync).deleteIntent(link.Kind, link.Source) // nothing was done: the next attempt is when it is due
			}
			if err := r.opts.records(tx, r.sync).putLink(link); err != nil {
				return err
			}
			changes := linkChanges(r.sync.rules(link.Kind), &was, link)
			if len(changes) > 0 {
				if err := countChange(tx, r.sync.Name, link.Kind, link.Source); err != nil {
					return err
				}
			}
			if op := plan.Op(intent.Op); len(changes) > 0 || op == plan.Create || op == plan.Adopt { // otherwise nothing was done
				if err := r.audit(tx, &intent, link, changes); err != nil {
					return err
				}
			}
		}
		if err := tx.Pending(r.sync.Name).Add(state.PendingKey{Kind: link.Kind, ID: link.Source}); err != nil {
			return err
		}
		return r.opts.records(tx, r.sync).deleteIntent(link.Kind, link.Source)
	})
	if err != nil || !r.opts.Apply {
		return err
	}
	if err := r.store.Accounts().EndCreations(r.owners.Owner(link.Kind, link.Source)); err != nil {
		return err
	}
	if gone && link.Kind != graphsync.User {
		return r.store.Accounts().Release(r.sync.application(), link.TargetID, r.owners.Owner(link.Kind, link.Source))
	}
	return nil
}

// audit reports what was found to have been carried out.
func (r *recovery) audit(tx *state.Tx, intent *state.Intent, link *state.Link, changes []plan.Change) error {
	if !r.opts.Apply {
		return nil // the links are put back afterwards, and the next cycle finds it again
	}
	entry := r.opts.auditEntry(r.sync, r.runID, recoveredEvent, outcomeDone)
	entry.At = r.now
	return auditRecovered(tx, entry, intent, link.TargetID, link.Key, changes)
}

// waits reports whether the last attempt at a record failed and the next one is not due yet.
func (r *recovery) waits(tx *state.Tx, link *state.Link) bool {
	retry, failed := tx.Retries(r.sync.Name).Get(state.PendingKey{Kind: link.Kind, ID: link.Source})
	return failed && !retry.Skipped && !due(&retry, r.now)
}

// rereadHidden settles the deactivation of an account that is not shown afterwards: an application may
// hide accounts that are off. It stays linked, so that a person who comes back gets it again. When
// another account of the person is active, the linked one was deleted, and the plan decides about the
// other.
func (r *recovery) rereadHidden(ctx context.Context, intent state.Intent, link *state.Link) error {
	var next *successor
	if link.Active {
		var err error
		if next, err = r.successors.find(ctx, link, plan.Deactivate); err != nil {
			return err
		}
	}
	return r.tenant.Batch(func(tx *state.Tx) error {
		switch {
		case next != nil:
			m := mismatch{TargetID: link.TargetID, Gone: true, Run: r.runID, Successor: next}
			if err := r.opts.records(tx, r.sync).putMismatch(link, &m); err != nil {
				return err
			}
		case link.Active:
			link.Active, link.InactiveSince = false, r.now
			if err := r.audit(tx, &intent, link, []plan.Change{{Attribute: "active", Old: true, New: false}}); err != nil {
				return err
			}
		}
		if err := r.opts.records(tx, r.sync).putLink(link); err != nil {
			return err
		}
		if err := tx.Pending(r.sync.Name).Add(state.PendingKey{Kind: link.Kind, ID: link.Source}); err != nil {
			return err
		}
		return r.opts.records(tx, r.sync).deleteIntent(link.Kind, link.Source)
	})
}

// updateShown takes over into a link what a resource is at present.
func updateShown(rules *desired.Rules, now time.Time, link *state.Link, resource *target.Resource) {
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
		link.Applied[path] = desired.Canonical(link.Source, attribute, value)
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
// another user, or is not the only one, is not it.
func (r *recovery) findIntended(ctx context.Context, intent state.Intent) (*target.Resource, error) {
	for _, key := range intent.Keys {
		path, err := target.ParsePath(key.Attribute)
		if err != nil {
			return nil, err
		}
		found, err := r.target.Find(ctx, targetKind(intent.Kind), path, key.Value)
		if err != nil {
			return nil, err
		}
		if len(found) != 1 {
			continue
		}
		owner, owned, err := r.store.Accounts().OwnerOf(r.sync.application(), found[0].ID, intent.Kind)
		if err != nil {
			return nil, err
		}
		if owned && owner != r.owners.Owner(intent.Kind, intent.Source) || !wasIntended(r.sync.rules(intent.Kind), intent, &found[0]) {
			continue
		}
		if !owned && !r.sync.Guard.ProvesCreation(&found[0], intent) {
			continue
		}
		if intent.Kind == graphsync.Group || !r.sync.Scope.Protects(&found[0]) {
			return &found[0], nil
		}
	}
	return nil, nil
}

// wasIntended reports whether a found account is the one of an intent. That of an adoption was there
// before: where an externalId is mapped, only one that carries it was adopted.
func wasIntended(rules *desired.Rules, intent state.Intent, shown *target.Resource) bool {
	a := intendedAccount(rules, intent)
	if plan.Op(intent.Op) == plan.Adopt && len(intent.Keys) > 0 && intent.Keys[0].Attribute == "externalId" && rules.Maps("externalId") {
		return a.CarriesExternalID(shown)
	}
	return a.Evaluate(shown) != desired.Foreign
}

// intendedAccount is what is known of the account of an intent: externalId decides where it is mapped.
func intendedAccount(rules *desired.Rules, intent state.Intent) *desired.Account {
	link := state.Link{Kind: intent.Kind, Source: intent.Source, Applied: map[string]json.RawMessage{}}
	for _, key := range intent.Keys {
		link.Keys = append(link.Keys, desired.MatchKey(key.Attribute, key.Value))
		if path, err := target.ParsePath(key.Attribute); err == nil && desired.IsExternalID(path) {
			if mapped := desired.MappedAt(rules, path); mapped != nil {
				link.Applied[mapped.Path.String()] = desired.Canonical(intent.Source, mapped, key.Value)
			}
		}
	}
	return desired.KnownAccount(&link, rules)
}

func (r *recovery) resolveIntent(intent state.Intent, found *target.Resource) error {
	if found != nil && r.opts.Apply {
		owner := r.owners.Owner(intent.Kind, intent.Source)
		if present, err := r.store.Accounts().Claim(r.sync.application(), found.ID, owner); err != nil || present != owner {
			return err
		}
	}
	err := r.tenant.Batch(func(tx *state.Tx) error {
		_, linked, err := tx.Links(r.sync.Name).Get(intent.Kind, intent.Source)
		if err != nil {
			return err
		}
		if found != nil && !linked {
			link := state.Link{Kind: intent.Kind, Source: intent.Source, TargetID: found.ID, Active: intent.Kind == graphsync.Group || !inactive(found),
				Since: r.now, Applied: map[string]json.RawMessage{}, LastOp: intent.Op, LastAt: intent.At}
			for _, key := range intent.Keys {
				link.Keys = append(link.Keys, desired.MatchKey(key.Attribute, key.Value))
				link.Key = key.Value
			}
			// What was written, or was there before, is cleared when it is no longer wanted.
			updateShown(r.sync.rules(intent.Kind), r.now, &link, found)
			// Some applications make accounts that are off and show them as active: active is written once more.
			maps.DeleteFunc(link.Applied, func(path string, _ json.RawMessage) bool { return strings.EqualFold(path, "active") })
			if err := r.opts.records(tx, r.sync).putLink(&link); err != nil {
				return err
			}
			if err := r.audit(tx, &intent, &link, nil); err != nil {
				return err
			}
			if err := tx.Pending(r.sync.Name).Add(state.PendingKey{Kind: intent.Kind, ID: intent.Source}); err != nil {
				return err
			}
		}
		return r.opts.records(tx, r.sync).deleteIntent(intent.Kind, intent.Source)
	})
	if err != nil || !r.opts.Apply {
		return err
	}
	return r.store.Accounts().EndCreations(r.owners.Owner(intent.Kind, intent.Source))
}
