package state

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// bucketFormerRebuild was used by earlier versions while a lost registry was rebuilt.
const bucketFormerRebuild = "recalled"

// keyComplete is in the registry's meta bucket when it was not lost since its claims were made.
var keyComplete = []byte("complete")

// markComplete says so of a registry that was never lost: schema version 2 did not.
func markComplete(tx *Tx) error { return tx.kv.put(keyComplete, []byte{1}, kv.Meta) }

// rebuildChunk is how many links are compared with the claims in one transaction.
const rebuildChunk = 10_000

// A rebuilder brings the claims in line with the links of every tenant whose file and registry do not go
// together: the registry was lost or is of a backup, the file is, or the process was killed. It is
// done before anything else can happen: otherwise whichever tenant is synced first could take
// accounts that another one keeps. Interrupted, it is begun again. Claims are added and, where a
// link shows that an account changed hands, moved; none is dropped, as what has no link may be of a
// file that is not here.
type rebuilder struct {
	store *Store
	lost  bool // the registry was lost
	seen  map[string]latestLocation
	done  []storedTenant
}

// A latestLocation is a location as the latest cycle knew it.
type latestLocation struct {
	Location
	at    time.Time
	newer bool // than the registry
}

// rebuildClaims brings the claims in line with the links, see [rebuilder].
func rebuildClaims(s *Store) error {
	r := rebuilder{store: s, seen: map[string]latestLocation{}}
	err := s.registry.view(func(tx *Tx) error { r.lost = tx.kv.get(keyComplete, kv.Meta) == nil; return nil })
	if err != nil {
		return err
	}
	tenants, err := r.stored()
	if err != nil {
		return err
	}
	for _, t := range tenants { // what tenants with another key claim cannot be rebuilt
		if other := (*KeyError)(nil); r.lost && errors.As(t.err, &other) {
			return t.err
		}
	}
	apart, err := r.apart(tenants)
	if err != nil || len(apart) == 0 && !r.lost {
		return err
	}
	for _, t := range apart {
		if err := r.tenant(t); err != nil {
			return fmt.Errorf("bring the claims on accounts in line with the links of tenant %s: %w", t.id, err)
		}
	}
	return r.finish()
}

// A storedTenant is what the start has to know of a tenant's file.
type storedTenant struct {
	id     graphsync.ID
	known  generation // that of the claims, as the file knows it
	linked bool       // it has links
	making []creation // what it was making when it was last written
	err    error      // why the file could not be read

	ahead bool // the file is newer than the registry
}

type creation struct {
	application string
	owner       Owner
	values      []string
}

// stored reads what there is of all tenants, and takes up what they were making.
func (r *rebuilder) stored() ([]storedTenant, error) {
	ids, err := r.store.home.stored()
	if err != nil {
		return nil, err
	}
	tenants := make([]storedTenant, len(ids))
	var group errgroup.Group
	group.SetLimit(8)
	for i, id := range ids {
		group.Go(func() error {
			t := &tenants[i]
			t.id = id
			t.err = r.peek(t)
			return nil
		})
	}
	_ = group.Wait()
	for _, t := range tenants {
		for _, c := range t.making {
			r.store.accounts.creations.begin(c.application, Creation{c.owner, c.values})
		}
	}
	return tenants, nil
}

// peek reads a tenant's file without changing it.
func (r *rebuilder) peek(t *storedTenant) error {
	f, current, err := openReadOnly(r.store.path(t.id), tenantSchema, t.id.String(), r.store.ring)
	if err != nil {
		return err
	}
	if !current { // of an earlier version: it is opened, and so migrated, as one that is apart
		t.linked = true
		return f.close()
	}
	err = f.view(func(tx *Tx) error {
		t.known = decodeGeneration(tx.kv.get(keyClaims, kv.Meta))
		for _, name := range tx.Syncs() {
			for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
				for range scan(tx.kv.bucket(bucketSyncs, name, inLinks), []byte{byte(kind)}, nil) {
					t.linked = true
					break
				}
			}
		}
		t.making = creationsOf(tx, t.id)
		return nil
	})
	return errors.Join(err, f.close())
}

// creationsOf returns which accounts a tenant is making, by its intents.
func creationsOf(tx *Tx, id graphsync.ID) (making []creation) {
	for _, name := range tx.Syncs() {
		application := tx.SyncInfo(name).Location.ID
		for intent := range tx.Intents(name).All() {
			if intent.Op != "create" {
				continue
			}
			c := creation{application: application, owner: Owner{Tenant: id, Sync: name, Kind: intent.Kind, Source: intent.Source}}
			for _, key := range intent.Keys {
				c.values = append(c.values, key.Value)
			}
			making = append(making, c)
		}
	}
	return making
}

// apart are the tenants whose file and registry do not go together. A file that cannot be looked at is
// left out, as what is claimed stays claimed. While the registry does not know all claims it is among
// them: it has to be opened, or to be found damaged.
func (r *rebuilder) apart(tenants []storedTenant) (apart []storedTenant, err error) {
	var unread []storedTenant
	stale := r.lost
	err = r.store.registry.view(func(tx *Tx) error {
		for _, t := range tenants {
			claims := claimsOf(tx).generation(t.id)
			switch {
			case t.err != nil:
				unread = append(unread, t)
			case r.lost || t.known != claims || t.linked && t.known == (generation{}):
				t.ahead = t.known.line == claims.line && t.known.count > claims.count
				stale = stale || t.ahead || t.known.line != claims.line
				apart = append(apart, t)
			}
		}
		return nil
	})
	if stale {
		apart = append(apart, unread...)
	}
	return apart, err
}

// byRecency are the locations by how recently they were known. One that another has the id
// and place of is left out: it is the same under a former name.
func byRecency(seen map[string]latestLocation) (out []latestLocation) {
	latest := slices.SortedFunc(maps.Values(seen), func(a, b latestLocation) int {
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.Key, b.Key))
	})
	for _, l := range latest {
		if !slices.ContainsFunc(out, func(other latestLocation) bool { return l.Same(other.Location) }) {
			out = append(out, l)
		}
	}
	return out
}

// tenant compares the links of one tenant with the claims. A file that turns out to be damaged is
// left out.
func (r *rebuilder) tenant(t storedTenant) error {
	f, _, err := openFile(r.store.path(t.id), tenantSchema, t.id.String(), r.store.ring, nil)
	if err != nil {
		if refused := syscall.Errno(0); errors.As(err, &refused) {
			return err
		}
		return nil
	}
	err = r.file(t, f)
	if damaged := (*DamagedError)(nil); errors.As(err, &damaged) && damaged.Path == r.store.path(t.id) {
		err = nil
	} else if err == nil {
		r.done = append(r.done, t)
	}
	return errors.Join(err, f.close())
}

func (r *rebuilder) file(t storedTenant, f *database) error {
	applications := map[string]string{} // by sync
	err := f.view(func(tx *Tx) error {
		for _, name := range tx.Syncs() {
			info := tx.SyncInfo(name)
			if info.Location.ID == "" {
				continue
			}
			applications[name] = info.Location.ID
			if known, ok := r.seen[info.Location.Key]; !ok || info.LastRun.After(known.at) {
				r.seen[info.Location.Key] = latestLocation{info.Location, info.LastRun, t.ahead}
			}
		}
		return nil
	})
	for _, name := range slices.Sorted(maps.Keys(applications)) {
		for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
			var after graphsync.ID
			for more := true; more && err == nil; {
				var links []Link
				err = f.view(func(tx *Tx) error {
					for link, err := range tx.Links(name).All(kind, after) {
						if err != nil {
							return err
						}
						if links = append(links, link); len(links) == rebuildChunk {
							break
						}
					}
					return nil
				})
				if more = len(links) == rebuildChunk; err == nil && len(links) > 0 {
					after = links[len(links)-1].Source
					err = r.links(t, f, Owner{Tenant: t.id, Sync: name, Kind: kind}, applications[name], links)
				}
			}
		}
	}
	return err
}

// links claims what some links are of, where there is no claim, and settles those with another claim.
func (r *rebuilder) links(t storedTenant, f *database, owner Owner, application string, links []Link) error {
	type conflict struct {
		link    *Link
		claimed Owner
	}
	var conflicts []conflict
	err := r.store.registry.update(func(tx *Tx) error {
		conflicts = nil
		for i := range links {
			owner.Source = links[i].Source
			key := ownerKey(application, owner.Kind, links[i].TargetID)
			rec := tx.kv.get(key, bucketOwners)
			switch {
			case rec == nil:
				if err := tx.kv.put(key, owner.encode(), bucketOwners); err != nil {
					return err
				}
			case decodeOwner(rec) != owner:
				conflicts = append(conflicts, conflict{&links[i], decodeOwner(rec)})
			case links[i].Active: // of a registry that does not know yet that it was taken back
				if _, err := tx.kv.delete(key, bucketGiven); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range conflicts {
		owner.Source = c.link.Source
		other, linked, readable, err := r.linkOf(c.claimed, c.link.TargetID, t.id, f)
		if err != nil {
			return err
		}
		// An account is linked twice when another user took it over: it is whose link is younger. A
		// claim without a link was given up since the registry's time, if the file is newer.
		if linked && !c.link.Since.After(other.Since) || !linked && !(t.ahead && readable) {
			continue
		}
		key := ownerKey(application, owner.Kind, c.link.TargetID)
		err = r.store.registry.update(func(tx *Tx) error { return tx.kv.put(key, owner.encode(), bucketOwners) })
		if err != nil {
			return err
		}
	}
	return nil
}

// linkOf returns the link of an owner to an account. current is the file that is open already.
func (r *rebuilder) linkOf(owner Owner, account string, id graphsync.ID, current *database) (link Link, linked, readable bool, err error) {
	f := current
	if owner.Tenant != id {
		if _, err := os.Stat(r.store.path(owner.Tenant)); err != nil {
			return link, false, false, nil
		}
		if f, _, err = openFile(r.store.path(owner.Tenant), tenantSchema, owner.Tenant.String(), r.store.ring, nil); err != nil {
			return link, false, false, nil
		}
		defer func() { err = errors.Join(err, f.close()) }()
	}
	err = f.view(func(tx *Tx) error {
		var err error
		link, linked, err = tx.Links(owner.Sync).Get(owner.Kind, owner.Source)
		linked = linked && link.TargetID == account
		return err
	})
	if damaged := (*DamagedError)(nil); errors.As(err, &damaged) {
		return link, false, false, nil
	}
	return link, linked, true, err
}

// finish notes that registry and files go together again: the registry first, so that a crash in
// between has it begun again.
func (r *rebuilder) finish() error {
	if len(r.done) == 0 && !r.lost {
		return nil
	}
	err := r.store.registry.update(func(tx *Tx) error {
		if err := claimsOf(tx).restoreApplications(byRecency(r.seen), r.lost); err != nil {
			return err
		}
		for _, t := range r.done {
			next := claimsOf(tx).generation(t.id).after(t.known)
			if err := tx.kv.put(t.id[:], next.encode(), bucketGenerations); err != nil {
				return err
			}
		}
		if err := tx.kv.deleteBucket(bucketFormerRebuild); err != nil {
			return err
		}
		return tx.kv.put(keyComplete, []byte{1}, kv.Meta)
	})
	for _, t := range r.done {
		if err != nil {
			break
		}
		var f *database
		if f, _, err = openFile(r.store.path(t.id), tenantSchema, t.id.String(), r.store.ring, nil); err == nil {
			err = errors.Join(r.store.stamp(t.id, f), f.close())
		}
	}
	return err
}

// restoreApplications notes which applications there are. One that the registry knows stays, unless the
// files are newer; an id that another one has is not given to a second.
func (c claims) restoreApplications(latest []latestLocation, lost bool) error {
	for _, l := range latest {
		known, has := c.application(l.Key)
		if !lost {
			taken := false
			for other := range all[Location](c.kv, "an application", bucketApplications) {
				taken = taken || other.ID == l.ID && other.Key != l.Key
			}
			if taken || has && (known.ID == l.ID || !l.newer) {
				continue
			}
		}
		if err := c.putApplication(l.Location); err != nil {
			return err
		}
	}
	return nil
}
