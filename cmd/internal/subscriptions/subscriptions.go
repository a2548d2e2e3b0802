// Package subscriptions has Graph notify of changes, and takes the notifications as a hint to read a tenant now.
//
// It keeps the subscriptions of each tenant as the configuration wants them, receives what Graph posts, bounds how often a
// hint starts anything, and notices a subscription that delivers nothing. It does not read a directory and runs no cycle:
// who uses it does, when [Subscriptions.Hint] is called.
//
// It promises that nothing a request says is believed but that something may have changed, and that only with the secret of
// a subscription; that a request is answered at once; and that lost, late, repeated and forged notifications change when a
// tenant is read and nothing else.
package subscriptions

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/state"
)

// streams are those that Graph notifies of.
var streams = []graphsync.Stream{graphsync.Users, graphsync.Groups}

// Wanted is what a tenant should have.
type Wanted struct {
	configs.Notifications
	URL string // where Graph reaches this service
}

// stream reports whether a tenant should have notifications of a stream.
func (w Wanted) stream(s graphsync.Stream) bool {
	return w.URL != "" && (s == graphsync.Users && w.Users || s == graphsync.Groups && w.Groups)
}

// Any reports whether a tenant should have notifications at all.
func (w Wanted) Any() bool { return w.stream(graphsync.Users) || w.stream(graphsync.Groups) }

// Subscriptions are those of all tenants of a service. Its methods may be called concurrently.
type Subscriptions struct {
	Store state.Subscriptions
	Log   *slog.Logger
	Now   func() time.Time
	// Hint is called when a stream of a tenant may have changed.
	Hint func(tenant graphsync.ID, stream graphsync.Stream)
	// NameOf is what a tenant is called.
	NameOf func(graphsync.ID) string

	counts counts

	mu    sync.Mutex // guards the rest
	known map[key]state.Subscription
	marks map[key]mark      // what came and is not in the state yet
	read  map[key]time.Time // when the stream was read the time before, by this worker
	wake  chan struct{}
}

// A key names a subscription: a tenant has one to each stream.
type key struct {
	tenant graphsync.ID
	stream graphsync.Stream
}

// A mark is what notifications said that came since the last write.
type mark struct {
	delivered time.Time
	asked     string
}

// counts are of requests since the start.
type counts struct{ accepted, refused, validated atomic.Int64 }

// Counts returns how many notifications had the secret of a subscription, and how many requests were refused.
func (s *Subscriptions) Counts() (accepted, refused int64) {
	return s.counts.accepted.Load(), s.counts.refused.Load()
}

// Open reads what is known.
func (s *Subscriptions) Open() error {
	s.marks, s.read, s.wake = map[key]mark{}, map[key]time.Time{}, make(chan struct{}, 1)
	return s.reload()
}

// reload takes over what is known from the state: another worker may have made a subscription.
func (s *Subscriptions) reload() error {
	all, err := s.Store.All()
	if err != nil {
		return err
	}
	known := make(map[key]state.Subscription, len(all))
	for _, one := range all {
		known[key{one.Tenant, one.Stream}] = one
	}
	s.mu.Lock()
	s.known = known
	s.mu.Unlock()
	return nil
}

// Every how often workers look at what others did, and how often deliveries are written.
const (
	reloadEvery = 10 * time.Second
	writeEvery  = 10 * time.Second
)

// Run writes what notifications brought and follows what other workers do, until ctx ends.
func (s *Subscriptions) Run(ctx context.Context) {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-tick.C:
		}
		err := s.write()
		if err == nil {
			err = s.reload()
		}
		if err != nil {
			s.Log.Error("keep what is known of subscriptions", "error", err)
		}
	}
}

// write puts what notifications brought into the state.
func (s *Subscriptions) write() error {
	s.mu.Lock()
	marks := s.marks
	s.marks = map[key]mark{}
	s.mu.Unlock()
	written := map[key]bool{}
	defer func() { // what could not be written waits
		s.mu.Lock()
		defer s.mu.Unlock()
		for k, m := range marks {
			if _, newer := s.marks[k]; !newer && !written[k] {
				s.marks[k] = m
			}
		}
	}()
	for k, m := range marks {
		again := false
		err := s.Store.Change(k.tenant, k.stream, func(r *state.Subscription) error {
			if r.URL == "" {
				return errForgotten
			}
			again = !r.Silent.IsZero() && !m.delivered.IsZero()
			if m.delivered.After(r.Delivered) {
				r.Delivered, r.Unseen, r.UnseenSince, r.Silent = m.delivered, 0, time.Time{}, time.Time{}
			}
			if m.asked != "" {
				r.Asked = m.asked
			}
			return nil
		})
		if err != nil && err != errForgotten {
			return err
		}
		written[k] = true
		if again {
			s.Log.Info("notifications come again", "tenant", s.NameOf(k.tenant), "stream", string(k.stream))
		}
	}
	return nil
}
