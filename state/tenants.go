package state

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"entrasync/graphsync"
)

// bucketTenants holds tenant id → TenantRecord as JSON.
const bucketTenants = "tenants"

// TenantRecords are the records of all tenants. Its methods may be called concurrently.
type TenantRecords struct{ registry *database }

// A TenantRecord is what is known of a tenant in addition to the configuration. There is one for an id,
// whatever the tenant is called.
type TenantRecord struct {
	ID      graphsync.ID `json:"id"`
	Name    string       `json:"name"`
	Origin  string       `json:"origin"` // "file" or "consent"
	State   string       `json:"state"`  // "active", or the class of the error that stopped it
	Message string       `json:"message"`
	Note    string       `json:"note"`
	Paused  bool         `json:"paused"`
	Since   time.Time    `json:"since"`
	Sync    string       `json:"sync"` // that found the state
	// Domains are the verified domains of a tenant that joined, with spaces between them; "" when they
	// are not known.
	Domains    string     `json:"domains,omitempty"`
	Credential Credential `json:"credential,omitzero"`
	// Removed is when an operator removed it: it joins again only by an invitation of its own.
	Removed time.Time `json:"removed,omitzero"`
}

// A Credential is what is known of the one that reads a tenant.
type Credential struct {
	Mark  string    `json:"mark"`          // tells it from another one, and nothing of it
	Asked time.Time `json:"asked"`         // when its end was last looked for
	Told  time.Time `json:"told,omitzero"` // the end that was found then
	Ends  time.Time `json:"ends,omitzero"` // the end to count with; zero when that is not known
}

// All returns all records by name, those of one name by id.
func (t TenantRecords) All() ([]TenantRecord, error) {
	var records []TenantRecord
	err := t.registry.view(func(tx *Tx) error {
		for k, text := range scan(tx.kv.bucket(bucketTenants), nil, nil) {
			records = append(records, fromJSON[TenantRecord]("tenant "+parseID(k).String(), text))
		}
		return nil
	})
	slices.SortFunc(records, func(a, b TenantRecord) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return records, err
}

// Get returns the record of a tenant; the zero record when it has none.
func (t TenantRecords) Get(id graphsync.ID) (record TenantRecord, err error) {
	err = t.registry.view(func(tx *Tx) error {
		if text := tx.kv.get(id[:], bucketTenants); text != nil {
			record = fromJSON[TenantRecord]("tenant "+id.String(), text)
		}
		return nil
	})
	return record, err
}

// NameOf returns what a tenant is called, its id when it has no name.
func (t TenantRecords) NameOf(id graphsync.ID) string {
	name := id.String()
	_ = t.registry.view(func(tx *Tx) error {
		if text := tx.kv.get(id[:], bucketTenants); text != nil {
			name = cmp.Or(fromJSON[TenantRecord]("tenant "+name, text).Name, name)
		}
		return nil
	})
	return name
}

// Put stores a record in place of the one of its tenant.
func (t TenantRecords) Put(r TenantRecord) error {
	if r.Name == "" {
		return fmt.Errorf("put the record of tenant %s: it has no name", r.ID)
	}
	return t.Change(r.ID, func(present *TenantRecord) error { *present = r; return nil })
}

// Change changes the record of a tenant in one step; a tenant without one begins
// with its id alone. What is left as it was costs no write, and an error of change leaves it so. The entries
// go into the audit log of the service with the change.
func (t TenantRecords) Change(id graphsync.ID, change func(*TenantRecord) error, entries ...AuditEntry) error {
	if id.IsZero() {
		return errors.New("change the record of a tenant: it has no id")
	}
	key := id[:]
	var before TenantRecord
	read := func(tx *Tx) error {
		before = TenantRecord{ID: id}
		if text := tx.kv.get(key, bucketTenants); text != nil {
			before = fromJSON[TenantRecord]("tenant "+id.String(), text)
		}
		return nil
	}
	if err := t.registry.view(read); err != nil {
		return err
	}
	after := before
	if err := change(&after); err != nil || after == before {
		return err
	}
	return t.registry.update(func(tx *Tx) error {
		if err := read(tx); err != nil {
			return err
		}
		after := before
		if err := change(&after); err != nil {
			return err
		}
		if after.ID != id || after.Name == "" {
			return fmt.Errorf("change the record of tenant %s: it must keep its id and have a name", id)
		}
		if err := tx.Audit().Append(entries...); err != nil {
			return err
		}
		return tx.kv.putJSON(key, after, bucketTenants)
	})
}

// Delete forgets a record; none is fine. The tenant's state stays, see RemoveTenant.
func (t TenantRecords) Delete(id graphsync.ID) error {
	return t.registry.update(func(tx *Tx) error {
		_, err := tx.kv.delete(id[:], bucketTenants)
		return err
	})
}

// recordsByID keys the records by tenant id; schema version 1 had them by name, under which one
// tenant could take the place of another. Of two with one id that of the consent stays, and it is
// paused when either was.
func recordsByID(tx *Tx) error {
	bucket := tx.kv.bucket(bucketTenants)
	byID := map[graphsync.ID]TenantRecord{}
	var names [][]byte
	for name, text := range scan(bucket, nil, nil) {
		record := fromJSON[TenantRecord]("tenant "+string(name), text)
		names = append(names, slices.Clone(name))
		if record.ID.IsZero() {
			continue
		}
		other, twice := byID[record.ID]
		if twice && other.Origin == "consent" {
			record, other = other, record
		}
		record.Paused = record.Paused || twice && other.Paused
		byID[record.ID] = record
	}
	for _, name := range names {
		if err := bucket.Delete(name); err != nil {
			return err
		}
	}
	for id, record := range byID {
		text, err := json.Marshal(record)
		if err != nil {
			return err
		}
		if err := bucket.Put(id[:], text); err != nil {
			return err
		}
	}
	return nil
}
