package reconcile

import (
	"context"
	"fmt"
	"sync"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// migrateTarget makes sure that the links are of accounts in the application that the sync writes to:
// a changed `to:`, another address, or another name of a tenant in it leave them pointing
// elsewhere. They are looked for there and claimed, and those that are not there are set aside:
// they have no owner here any more, and are taken up again when the configuration goes back. Until
// that is done nothing else is. It costs an ordinary cycle nothing. A dry run changes no link and
// no claim: it cannot tell what there is to do in another application, and says so.
func (m *migration) migrateTarget(ctx context.Context) error {
	was, here := m.info.Location, m.sync.location()
	if was == here && !m.info.Moving {
		return nil
	}
	m.was, m.refused = was, map[string]bool{}
	another := m.info.Moving || was.ID != "" && !was.Same(here)
	if !m.opts.Apply {
		if anything, err := m.anything(); err != nil || !anything || !another {
			return err
		}
		return fmt.Errorf("target %s is another application than the one the linked accounts are in: a plan can be made once entrasync sync has looked for them there; nothing was changed", m.sync.TargetName)
	}
	switch {
	case another:
		if err := m.move(ctx); err != nil {
			return fmt.Errorf("look for the accounts of before in target %s, which is another than it was: %w", m.sync.TargetName, err)
		}
		m.findings.moved = true
	case was.ID == "": // linked before locations were known
		if err := m.claimAll(); err != nil {
			return err
		}
	}
	return m.changeInfo(func(tx *state.Tx, info *state.SyncInfo) error {
		info.Location, info.Moving = here, false
		if !m.findings.moved {
			return nil
		}
		return tx.Pending(m.sync.Name).SetEverything(true)
	})
}

// changeInfo changes how the sync stands, in the state and in this cycle.
func (m *migration) changeInfo(change func(*state.Tx, *state.SyncInfo) error) error {
	return m.tenant.Update(func(tx *state.Tx) error {
		info := tx.SyncInfo(m.sync.Name)
		if err := change(tx, &info); err != nil {
			return err
		}
		m.info.Location, m.info.Moving = info.Location, info.Moving
		return tx.PutSyncInfo(m.sync.Name, info)
	})
}

// A migration brings links from one application to another.
type migration struct {
	sync     *Sync
	opts     Options
	now      time.Time
	workers  int
	store    *state.Store
	tenant   *state.Tenant
	target   target.Adapter
	info     *state.SyncInfo
	ledger   *ledger
	findings *findings
	owners   *ownership.Accounts
	was      state.Location
	left     guard.Sample // accounts that are not here

	mu      sync.Mutex      // guards what follows
	refused map[string]bool // keys of links set aside whose accounts could not be looked for
}

// anything reports whether there is something of another application: links, in the sync or set
// aside, or what was begun there.
func (m *migration) anything() (anything bool, err error) {
	err = m.tenant.View(func(tx *state.Tx) error {
		users, _ := tx.Links(m.sync.Name).Count(graphsync.User)
		groups, _ := tx.Links(m.sync.Name).Count(graphsync.Group)
		anything = users+groups+tx.Space(m.sync.Name, parkedSpace).Count() > 0
		for range tx.Intents(m.sync.Name).All() {
			anything = true
			break
		}
		return nil
	})
	return anything, err
}

func (m *migration) move(ctx context.Context) error {
	if err := m.forgetIntents(); err != nil {
		return err
	}
	if anything, err := m.anything(); err != nil || !anything {
		return err
	}
	// What answers there has to be an application, or no account would be found at a mistyped address.
	if _, err := m.target.Probe(ctx, m.sync.Paths()); err != nil {
		return err
	}
	err := m.changeInfo(func(_ *state.Tx, info *state.SyncInfo) error { info.Moving = true; return nil })
	if err != nil {
		return err
	}
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		s := linkScan{sync: m.sync, workers: m.workers, tenant: m.tenant, target: m.target, ledger: m.ledger, kind: kind, ask: m.lookFor, visit: m.partition}
		if err := s.run(ctx); err != nil {
			return err
		}
	}
	if m.left.N > 0 {
		m.ledger.note("target %s is another application than it was and lacks linked accounts: %s; they stay as they are where they were", m.sync.TargetName, m.left.String())
	}
	return m.restore(ctx)
}

// forgetIntents drops what is not known to have been done in another application.
func (m *migration) forgetIntents() error {
	if m.was.ID == m.sync.application() {
		return nil
	}
	var ended []state.Owner
	err := m.tenant.Update(func(tx *state.Tx) error {
		var open []state.Intent
		ended = nil
		for intent := range tx.Intents(m.sync.Name).All() {
			open = append(open, intent)
		}
		for _, intent := range open {
			if err := tx.Intents(m.sync.Name).Delete(intent.Kind, intent.Source); err != nil {
				return err
			}
			ended = append(ended, m.owners.Owner(intent.Kind, intent.Source))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.store.Accounts().EndCreations(ended...)
}

// lookFor asks for an account by its id, and by its matching values where the application does
// not answer that: the id is of the form that another application has. One that it refuses to be
// asked about is treated as one that it does not have, and is named: it must not stop the rest.
func (m *migration) lookFor(ctx context.Context, link *state.Link) (*target.Resource, bool, error) {
	ref := target.Ref{Kind: targetKind(link.Kind), ID: link.TargetID}
	if getter, ok := m.target.(target.Getter); ok {
		shown, err := getter.Get(ctx, ref)
		switch code := target.CodeOf(err); {
		case err == nil:
			return shown, true, nil
		case code == target.NotFound:
			return nil, true, nil
		case code.Stops() || ctx.Err() != nil:
			return nil, false, err
		}
	}
	var refused error
	for _, key := range link.Keys {
		path, err := target.ParsePath(key.Attribute)
		if err != nil {
			return nil, false, err
		}
		found, err := m.target.Find(ctx, ref.Kind, path, key.Value)
		if err != nil {
			if ctx.Err() != nil || target.CodeOf(err) == target.Unavailable || hopeless(link.Kind, err) {
				return nil, false, err
			}
			refused = err
			continue
		}
		for i := range found {
			if found[i].Ref == ref {
				return &found[i], true, nil
			}
		}
	}
	if refused != nil {
		m.refuse(link, refused)
	}
	return nil, true, nil
}

func (m *migration) refuse(link *state.Link, cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := string(parkedKey(link))
	if !m.refused[key] { // it is asked about again when links are restored
		m.ledger.note("account %s of %s could not be looked for in target %s, which is another application than it was: the link was set aside, and nothing is done to an account there that may be theirs: %v", link.TargetID, link.Key, m.sync.TargetName, cause)
	}
	m.refused[key] = true
}

// isHere reports whether what has the id of a linked account is that account: the same number means
// nothing in another application, and what no value identifies is not it.
func isHere(rules *desired.Rules, link *state.Link, shown *target.Resource) bool {
	return shown != nil && desired.KnownAccount(link, rules).Evaluate(shown) == desired.Ours
}

// partition keeps the links whose accounts are here and sets the others aside. What is claimed here
// for an account that is not is released before its link goes, so that no claim is left over
// wherever this ends.
func (m *migration) partition(found []observedLink) error {
	var here []state.Link
	away := map[string]state.Owner{}
	for i := range found {
		link := &found[i].link
		if isHere(m.sync.rules(link.Kind), link, found[i].shown) {
			drifted(m.sync.rules(link.Kind), m.now, link, found[i].shown, nothingShown)
			here = append(here, *link)
		} else {
			away[link.TargetID] = m.owners.Owner(link.Kind, link.Source)
			if !m.refused[string(parkedKey(link))] {
				m.left.Add(link.Key)
			}
		}
	}
	if err := m.store.Accounts().ReleaseAll(m.sync.application(), away); err != nil {
		return err
	}
	err := m.tenant.Update(func(tx *state.Tx) error {
		for i := range found {
			link := &found[i].link
			if _, gone := away[link.TargetID]; !gone {
				continue
			}
			if err := m.park(tx, link); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.claim(here)
}

// park takes a person's link out of the sync until the account is met again. A group's is
// dropped: that it is this sync's is remembered by its claim, and who is in it is asked when it is
// met again.
func (m *migration) park(tx *state.Tx, link *state.Link) error {
	if link.Kind == graphsync.User {
		if err := tx.Space(m.sync.Name, parkedSpace).Put(parkedKey(link), plan.Encode(link)); err != nil {
			return err
		}
	}
	return m.opts.records(tx, m.sync).forgetLink(link.Kind, link.Source)
}

// claim claims the accounts of links and stores them. One whose account is another user's is
// dropped, and nothing is done to that account.
func (m *migration) claim(links []state.Link) error {
	claims := make(map[string]state.Owner, len(links))
	for i := range links {
		claims[links[i].TargetID] = m.owners.Owner(links[i].Kind, links[i].Source)
	}
	present, err := m.store.Accounts().ClaimAll(m.sync.application(), claims)
	if err != nil {
		return err
	}
	for i := range links {
		link := &links[i]
		if owner := present[link.TargetID]; owner != m.owners.Owner(link.Kind, link.Source) {
			m.ledger.note("account %s is %s: the link of %s to it was dropped", link.TargetID, m.owners.Describe(owner), link.Key)
		}
	}
	return m.tenant.Update(func(tx *state.Tx) error {
		aside := tx.Space(m.sync.Name, parkedSpace)
		for i := range links {
			link := &links[i]
			if err := aside.Delete(parkedKey(link)); err != nil {
				return err
			}
			if present[link.TargetID] != m.owners.Owner(link.Kind, link.Source) {
				if err := m.opts.records(tx, m.sync).forgetLink(link.Kind, link.Source); err != nil {
					return err
				}
				continue
			}
			if err := tx.Links(m.sync.Name).Put(*link); err != nil {
				return err
			}
		}
		return nil
	})
}

// claimAll claims the accounts of all links.
func (m *migration) claimAll() error {
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		var after graphsync.ID
		err := inChunks(m.tenant, plan.DraftChunk, func(tx *state.Tx, add func(state.Link) bool) error {
			for link, err := range tx.Links(m.sync.Name).All(kind, after) {
				if err != nil {
					return err
				}
				if after = link.Source; !add(link) {
					break
				}
			}
			return nil
		}, m.claim)
		if err != nil {
			return err
		}
	}
	return nil
}

// restore takes up again the links that were set aside when the sync wrote elsewhere, if their
// accounts are here and the people have no other: a leaver must not keep an account
// because it was out of sight for a while.
func (m *migration) restore(ctx context.Context) error {
	var after []byte
	return inChunks(m.tenant, askChunk, func(tx *state.Tx, add func(state.Link) bool) error {
		for key, raw := range tx.Space(m.sync.Name, parkedSpace).All(after) {
			after = append([]byte(nil), key...)
			var link state.Link
			if err := plan.Decode(raw, &link); err != nil {
				return err
			}
			_, linked, err := tx.Links(m.sync.Name).Get(link.Kind, link.Source)
			if err != nil {
				return err
			}
			if !linked && !add(link) {
				break
			}
		}
		return nil
	}, func(links []state.Link) error {
		found, err := askFor(ctx, m.workers, links, m.lookFor)
		if err != nil {
			return err
		}
		var here []state.Link
		for i := range found {
			if link := &found[i].link; isHere(m.sync.rules(link.Kind), link, found[i].shown) {
				drifted(m.sync.rules(link.Kind), m.now, link, found[i].shown, nothingShown)
				here = append(here, *link)
			}
		}
		return m.claim(here)
	})
}
