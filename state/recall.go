package state

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"entrasync/graphsync"
)

// bucketRecalled holds owner's key → when the link was made, while a lost registry is rebuilt.
const bucketRecalled = "recalled"

// keyComplete is in the registry's meta bucket when it knows all claims there are.
var keyComplete = []byte("complete")

// markComplete says so of a registry that was never lost: schema version 2 did not.
func markComplete(tx *Tx) error { return tx.put(keyComplete, []byte{1}, bucketMeta) }

// recallChunk is how many links are claimed in one commit.
const recallChunk = 10_000

// recall makes the claims of all tenants anew from their links, when the registry was lost. It is
// done before anything else can happen: otherwise whichever tenant is synced first could take
// accounts that another one keeps. Interrupted, it is begun again. A file that cannot be read
// says so when its tenant is opened.
func (s *Store) recall() error {
	complete := false
	err := s.registry.view(func(tx *Tx) error {
		complete = tx.get(keyComplete, bucketMeta) != nil
		return nil
	})
	if err != nil || complete {
		return err
	}
	ids, err := s.stored()
	if err != nil {
		return err
	}
	seen := map[string]recalledLocation{}
	for _, id := range ids {
		if err := s.recallTenant(id, seen); err != nil {
			return fmt.Errorf("make the claims on accounts anew, as the registry is lost: %w", err)
		}
	}
	return s.registry.update(func(tx *Tx) error {
		for _, l := range latestLocations(seen) {
			if err := tx.putApplication(l); err != nil {
				return err
			}
		}
		if err := tx.fell(bucketRecalled); err != nil {
			return err
		}
		return tx.put(keyComplete, []byte{1}, bucketMeta)
	})
}

// A recalledLocation is a location as the latest cycle knew it.
type recalledLocation struct {
	Location
	at time.Time
}

// latestLocations are the locations by how recently they were known. One that another has the id
// and place of is left out: it is the same under a former name.
func latestLocations(seen map[string]recalledLocation) (out []Location) {
	latest := slices.SortedFunc(maps.Values(seen), func(a, b recalledLocation) int {
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.Key, b.Key))
	})
	for _, l := range latest {
		if !slices.ContainsFunc(out, l.Location.Same) {
			out = append(out, l.Location)
		}
	}
	return out
}

// recallTenant leaves out a file that is none of ours or damaged: one bad tenant never stops the
// others. What the operating system refuses is tried again by the next start.
func (s *Store) recallTenant(id graphsync.ID, seen map[string]recalledLocation) error {
	f, err := openFile(s.path(id), tenantSchema, id.String(), nil)
	if err != nil {
		if refused := syscall.Errno(0); errors.As(err, &refused) {
			return err
		}
		return nil
	}
	err = s.recallFile(id, f, seen)
	if damaged := (*DamagedError)(nil); errors.As(err, &damaged) && damaged.Path == f.path {
		err = nil
	}
	return errors.Join(err, f.close())
}

func (s *Store) recallFile(id graphsync.ID, f *file, seen map[string]recalledLocation) error {
	var syncs []string
	infos := map[string]SyncInfo{}
	err := f.view(func(tx *Tx) error {
		for _, name := range tx.Syncs() {
			info := tx.SyncInfo(name)
			if info.Location.ID == "" {
				continue
			}
			syncs, infos[name] = append(syncs, name), info
			if known, ok := seen[info.Location.Key]; !ok || info.LastRun.After(known.at) {
				seen[info.Location.Key] = recalledLocation{info.Location, info.LastRun}
			}
		}
		return nil
	})
	for _, name := range syncs {
		for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
			var after graphsync.ID
			for more := true; more && err == nil; {
				var links []Link
				err = f.view(func(tx *Tx) error {
					for link, err := range tx.Links(name, kind, after) {
						if err != nil {
							return err
						}
						if links = append(links, link); len(links) == recallChunk {
							break
						}
					}
					return nil
				})
				if more = len(links) == recallChunk; err == nil && len(links) > 0 {
					after = links[len(links)-1].Source
					err = s.reclaim(Owner{Tenant: id, Sync: name, Kind: kind}, infos[name].Location.ID, links)
				}
			}
		}
	}
	return err
}

// reclaim claims what some links are of. An account may be linked twice, when somebody else took
// it over; it is whose link is younger.
func (s *Store) reclaim(owner Owner, application string, links []Link) error {
	return s.registry.update(func(tx *Tx) error {
		for i := range links {
			owner.Source = links[i].Source
			key := ownerKey(application, owner.Kind, links[i].TargetID)
			if known := tx.get(key, bucketRecalled); known != nil {
				if made := (&decoder{buf: known}).time(); !links[i].Since.After(made) {
					continue
				}
			}
			var since encoder
			since.time(links[i].Since)
			if err := tx.put(key, since.buf, bucketRecalled); err != nil {
				return err
			}
			if err := tx.put(key, owner.encode(), bucketOwners); err != nil {
				return err
			}
		}
		return nil
	})
}

// stored are the tenants that have a file.
func (s *Store) stored() (ids []graphsync.ID, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("read state directory %s: %w", s.dir, err)
	}
	for _, entry := range entries {
		if id, err := graphsync.ParseID(strings.TrimSuffix(entry.Name(), ".db")); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
