package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// Where several processes share the registry, the accounts that are being made are in it: each asks the others.
const (
	bucketMaking = "making" // hash of a creationKey, owner → nothing
	bucketMakers = "makers" // owner → hashes as JSON
)

// making are the registry's records on accounts that are being made, within one transaction.
type making struct{ kv *buckets }

func valueHash(application string, kind graphsync.Kind, value string) []byte {
	sum := sha256.Sum256([]byte(creationKey(application, kind, value)))
	return sum[:]
}

// warm has the records of owners read at once.
func (m making) warm(owners []Owner) {
	makers := m.kv.bucket(bucketMakers)
	if makers == nil {
		return
	}
	keys := make([][]byte, len(owners))
	for i, owner := range owners {
		keys[i] = owner.encode()
	}
	makers.Warm(slices.Values(keys))
}

func (m making) begin(application string, c Creation) error {
	if err := m.end(c.Owner); err != nil {
		return err
	}
	var hashes [][]byte
	for _, value := range c.Values {
		if value == "" {
			continue
		}
		hash := valueHash(application, c.Owner.Kind, value)
		hashes = append(hashes, hash)
		if err := m.kv.put(slices.Concat(hash, c.Owner.encode()), []byte{}, bucketMaking); err != nil {
			return err
		}
	}
	if len(hashes) == 0 {
		return nil
	}
	return m.kv.putJSON(c.Owner.encode(), hashes, bucketMakers)
}

func (m making) end(owner Owner) error {
	text := m.kv.get(owner.encode(), bucketMakers)
	if text == nil {
		return nil
	}
	values := m.kv.bucket(bucketMaking)
	if values == nil {
		panic(kv.BadRecord{What: "the values of an account that is being made are missing"})
	}
	for _, hash := range fromJSON[[][]byte]("an account that is being made", text) {
		if err := values.Delete(slices.Concat(hash, owner.encode())); err != nil {
			return err
		}
	}
	return m.kv.bucket(bucketMakers).Delete(owner.encode())
}

// of returns who in a tenant is making accounts, with the records.
func (m making) of(tenant graphsync.ID) map[Owner]string {
	found := map[Owner]string{}
	for key, text := range scan(m.kv.bucket(bucketMakers), tenant[:], nil) {
		found[decodeOwner(bytes.Clone(key))] = string(text)
	}
	return found
}

func (m making) creatorOf(application string, owner Owner, values []string) (other Owner, found bool) {
	for _, value := range values {
		hash := valueHash(application, owner.Kind, value)
		for key := range scan(m.kv.bucket(bucketMaking), hash, nil) {
			if other := decodeOwner(bytes.Clone(key[len(hash):])); other != owner {
				return other, true
			}
		}
	}
	return Owner{}, false
}

// matchCreations brings what the registry says a tenant is making in line with the tenant's intents. The caller works on the
// tenant alone.
func (s *Store) matchCreations(id graphsync.ID, f *database) error {
	var intended []creation
	if err := f.view(func(tx *Tx) error { intended = creationsOf(tx, id); return nil }); err != nil {
		return err
	}
	differs := false
	match := func(tx *Tx, change bool) error {
		m := making{tx.kv}
		known := m.of(id)
		for _, c := range intended {
			hashes := [][]byte(nil)
			for _, value := range c.values {
				if value != "" {
					hashes = append(hashes, valueHash(c.application, c.owner.Kind, value))
				}
			}
			if len(hashes) == 0 {
				continue
			}
			text, err := json.Marshal(hashes)
			if err != nil {
				return err
			}
			if known[c.owner] != string(text) {
				if differs = true; change {
					if err := m.begin(c.application, Creation{c.owner, c.values}); err != nil {
						return err
					}
				}
			}
			delete(known, c.owner)
		}
		for owner := range known {
			if differs = true; change {
				if err := m.end(owner); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := s.registry.view(func(tx *Tx) error { return match(tx, false) })
	if err != nil || !differs {
		return err
	}
	return s.registry.update(func(tx *Tx) error { return match(tx, true) })
}
