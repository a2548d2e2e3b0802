package state

import (
	"encoding/json"
	"slices"
	"time"

	"entrasync/graphsync"
)

// bucketSubscriptions holds tenant id and stream → Subscription as JSON.
const bucketSubscriptions = "subscriptions"

// A Subscription is what is known of the one to a stream of a tenant's directory, for change notifications.
type Subscription struct {
	Tenant graphsync.ID     `json:"tenant"`
	Stream graphsync.Stream `json:"stream"`
	ID     string           `json:"id,omitempty"` // "" while there is none, or while it is being made
	URL    string           `json:"url,omitempty"`
	// Secret is the SHA-256 of what its notifications have to carry.
	Secret  []byte    `json:"secret,omitempty"`
	Renewed time.Time `json:"renewed,omitzero"` // when Graph last gave it an end
	Expires time.Time `json:"expires,omitzero"`
	// Asked is what a notification of its life asked for and that has yet to be done.
	Asked string `json:"asked,omitempty"`

	Failures int       `json:"failures,omitempty"` // in a row, to make, renew or end it
	Code     string    `json:"code,omitempty"`     // of the last one
	Problem  string    `json:"problem,omitempty"`
	Hint     string    `json:"hint,omitempty"`
	NextTry  time.Time `json:"next_try,omitzero"`

	Delivered   time.Time `json:"delivered,omitzero"`    // when a notification last came
	Unseen      int       `json:"unseen,omitempty"`      // reads in a row that found changes of which none came
	UnseenSince time.Time `json:"unseen_since,omitzero"` // the first of them
	Silent      time.Time `json:"silent,omitzero"`       // when it was taken for one that delivers nothing
}

// Subscriptions are those of all tenants. Its methods may be called concurrently.
type Subscriptions struct{ registry *database }

// Subscriptions returns what is known of subscriptions for change notifications.
func (s *Store) Subscriptions() Subscriptions { return Subscriptions{s.registry} }

func subscriptionKey(tenant graphsync.ID, stream graphsync.Stream) []byte {
	return append(slices.Clone(tenant[:]), stream...)
}

// All returns the subscriptions of all tenants, those of a tenant one after another.
func (s Subscriptions) All() (all []Subscription, err error) { return s.scan(nil) }

// Of returns those of a tenant.
func (s Subscriptions) Of(tenant graphsync.ID) ([]Subscription, error) { return s.scan(tenant[:]) }

func (s Subscriptions) scan(prefix []byte) (all []Subscription, err error) {
	err = s.registry.view(func(tx *Tx) error {
		for key, text := range scan(tx.kv.bucket(bucketSubscriptions), prefix, nil) {
			all = append(all, fromJSON[Subscription]("subscription of tenant "+parseID(key[:min(len(key), 16)]).String(), text))
		}
		return nil
	})
	return all, err
}

// Change changes what is known of a subscription in one step; one that is not known begins with its tenant and stream
// alone. What is left as it was costs no write, and an error of change leaves it so. change may run twice.
func (s Subscriptions) Change(tenant graphsync.ID, stream graphsync.Stream, change func(*Subscription) error) error {
	key := subscriptionKey(tenant, stream)
	changed := func(tx *Tx) (before, after []byte, err error) {
		record := Subscription{Tenant: tenant, Stream: stream}
		if before = tx.kv.get(key, bucketSubscriptions); before != nil {
			record = fromJSON[Subscription]("subscription of tenant "+tenant.String(), before)
		}
		if err := change(&record); err != nil {
			return nil, nil, err
		}
		after, err = json.Marshal(record)
		return before, after, err
	}
	same := false
	err := s.registry.view(func(tx *Tx) error {
		before, after, err := changed(tx)
		same = slices.Equal(before, after)
		return err
	})
	if err != nil || same {
		return err
	}
	return s.registry.update(func(tx *Tx) error {
		_, after, err := changed(tx)
		if err != nil {
			return err
		}
		return tx.kv.put(key, after, bucketSubscriptions)
	})
}

// Delete forgets a subscription; none is fine.
func (s Subscriptions) Delete(tenant graphsync.ID, stream graphsync.Stream) error {
	return s.registry.update(func(tx *Tx) error {
		_, err := tx.kv.delete(subscriptionKey(tenant, stream), bucketSubscriptions)
		return err
	})
}
