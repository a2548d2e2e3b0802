package state

import (
	"fmt"
	"strings"
)

// bucketApplications holds an application's key → application as JSON.
const bucketApplications = "applications"

// A Location is where the accounts of a sync are.
type Location struct {
	Key   string `json:"key"`   // what the configuration calls the application
	Place string `json:"place"` // a digest of its address, "" when that is not known
	ID    string `json:"id"`    // what accounts there are claimed under
}

// Same reports whether two locations are one, whatever the configuration calls it.
func (l Location) Same(other Location) bool { return l.ID == other.ID && l.Place == other.Place }

// Locate returns what accounts are claimed under in the application that the configuration calls
// key and has at place. It stays the same when only one of the two changes: an application with
// another name is known by its place, and one that moved by its name, so that no tenant's claims are
// lost with a name. placeOf returns where the configuration has the application of another key,
// "" for nowhere: two that are at one place, as two organisations behind one address, stay two.
func (s *Store) Locate(key, place string, placeOf func(key string) string) (Location, error) {
	if key == "" || strings.ContainsRune(key, 0) {
		return Location{}, fmt.Errorf("locate application %q: it needs a plain name", key)
	}
	location := Location{Key: key, Place: place}
	err := s.registry.view(func(tx *Tx) error {
		if known, ok := claimsOf(tx).application(key); ok && known.Place == place {
			location = known
		}
		return nil
	})
	if err != nil || location.ID != "" {
		return location, err
	}
	err = s.registry.update(func(tx *Tx) error {
		known, had := claimsOf(tx).application(key)
		location.ID = known.ID
		for other := range all[Location](tx.kv, "an application", bucketApplications) {
			if place == "" || other.Place != place || other.Key == key || placeOf(other.Key) == place {
				continue
			}
			// It had another name. That name has from now on what this one had, if anything: names
			// may have been exchanged.
			location.ID = other.ID
			if !had {
				if _, err := tx.kv.delete([]byte(other.Key), bucketApplications); err != nil {
					return err
				}
			} else if err := claimsOf(tx).putApplication(Location{Key: other.Key, Place: known.Place, ID: known.ID}); err != nil {
				return err
			}
			break
		}
		if location.ID == "" {
			location.ID = claimsOf(tx).freshID(key)
		}
		return claimsOf(tx).putApplication(location)
	})
	if err != nil {
		return Location{}, fmt.Errorf("locate application %s: %w", key, err)
	}
	return location, nil
}

func (c claims) application(key string) (Location, bool) {
	text := c.kv.get([]byte(key), bucketApplications)
	if text == nil {
		return Location{}, false
	}
	return fromJSON[Location]("application "+key, text), true
}

func (c claims) putApplication(l Location) error {
	return c.kv.putJSON([]byte(l.Key), l, bucketApplications)
}

// freshID makes an id for an application: its name, unless one that had the name before has it.
func (c claims) freshID(key string) string {
	taken := map[string]bool{}
	for known := range all[Location](c.kv, "an application", bucketApplications) {
		taken[known.ID] = true
	}
	id := key
	for n := 2; taken[id]; n++ {
		id = fmt.Sprintf("%s#%d", key, n)
	}
	return id
}
