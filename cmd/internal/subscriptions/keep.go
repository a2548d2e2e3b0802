package subscriptions

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// errForgotten ends a change of a subscription that is no longer known.
var errForgotten = errors.New("the subscription is no longer known")

// attemptTime bounds one request about a subscription, with the validation request that Graph sends before it answers.
const attemptTime = 25 * time.Second

// Keep brings the subscriptions of a tenant to what is wanted, as far as anything is due. It makes no request where nothing
// is. The caller has the tenant's turn, so that two workers do not make one twice. Failures are kept, logged and tried
// again with exponential backoff: nothing else depends on a subscription.
func (s *Subscriptions) Keep(ctx context.Context, tenant graphsync.ID, wanted Wanted, graph graphsync.Subscriber) {
	for _, stream := range streams {
		url := ""
		if wanted.stream(stream) {
			url = wanted.URL
		}
		r := s.latest(key{tenant, stream})
		due := decide(&r, url, s.Now())
		if due == nothing {
			continue
		}
		if err := s.refresh(&r); err != nil { // another worker may have done it
			s.Log.Error("keep what is known of subscriptions", "tenant", s.NameOf(tenant), "error", err)
			return
		}
		if due = decide(&r, url, s.Now()); due == nothing {
			continue
		}
		attempt, cancel := context.WithTimeout(ctx, attemptTime)
		err := s.take(attempt, due, r, url, graph)
		cancel()
		if ctx.Err() != nil {
			return
		}
		s.ended(due, key{tenant, stream}, err)
	}
}

// latest is what this worker knows of a subscription.
func (s *Subscriptions) latest(k key) state.Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.known[k]; ok {
		if s.marks[k].asked != "" {
			r.Asked = s.marks[k].asked
		}
		return r
	}
	return state.Subscription{Tenant: k.tenant, Stream: k.stream}
}

// refresh writes what notifications brought and reads what the state says of a subscription.
func (s *Subscriptions) refresh(r *state.Subscription) error {
	if err := s.write(); err != nil {
		return err
	}
	if err := s.reload(); err != nil {
		return err
	}
	*r = s.latest(key{r.Tenant, r.Stream})
	return nil
}

// take carries a step out.
func (s *Subscriptions) take(ctx context.Context, due step, r state.Subscription, url string, graph graphsync.Subscriber) error {
	switch due {
	case end:
		return s.end(ctx, r, graph)
	case renew:
		renewed, err := graph.Renew(ctx, r.ID, s.Now().Add(lifetime))
		if errors.Is(err, graphsync.ErrNoSubscription) {
			s.Log.Warn("Graph no longer has the subscription to a stream; it is made again", "tenant", s.NameOf(r.Tenant), "stream", string(r.Stream))
			return s.create(ctx, r, url, graph)
		}
		if err != nil {
			return err
		}
		return s.made(r, renewed)
	}
	return s.create(ctx, r, url, graph)
}

// lifetime is what is asked for, a little less than Graph gives at most: its clock may be behind.
const lifetime = graphsync.SubscriptionLifetime - 10*time.Minute

// create makes a subscription, and ends those that go to the same address or the former one: their secrets are not known any
// more. What has to come with its notifications is kept before the first one can come.
func (s *Subscriptions) create(ctx context.Context, r state.Subscription, url string, graph graphsync.Subscriber) error {
	secret := rand.Text() + rand.Text()
	hash := sha256.Sum256([]byte(secret))
	former := r.URL
	err := s.Store.Change(r.Tenant, r.Stream, func(r *state.Subscription) error {
		r.ID, r.URL, r.Secret = "", url, hash[:]
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.reload(); err != nil {
		return err
	}
	if err := endOthers(ctx, graph, r.Stream, url, former); err != nil {
		return err
	}
	made, err := graph.Subscribe(ctx, graphsync.NewSubscription{Stream: r.Stream, URL: url, Secret: secret, Expires: s.Now().Add(lifetime)})
	if err != nil {
		return err
	}
	return s.made(r, made)
}

// endOthers ends the subscriptions to a stream that go to one of some addresses.
func endOthers(ctx context.Context, graph graphsync.Subscriber, stream graphsync.Stream, urls ...string) error {
	all, err := graph.List(ctx)
	if err != nil {
		return err
	}
	for _, one := range all {
		for _, url := range urls {
			if one.Stream == stream && url != "" && one.URL == url {
				if err := graph.Unsubscribe(ctx, one.ID); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// made keeps what Graph gave. A subscription that ended since is forgotten.
func (s *Subscriptions) made(r state.Subscription, got graphsync.Subscription) error {
	return s.Store.Change(r.Tenant, r.Stream, func(r *state.Subscription) error {
		r.ID, r.Renewed, r.Expires, r.Asked = got.ID, s.Now(), got.Expires, ""
		r.Failures, r.Code, r.Problem, r.Hint, r.NextTry = 0, "", "", "", time.Time{}
		return nil
	})
}

// end ends a subscription. Another app of the tenant may have one to the same stream at another address.
func (s *Subscriptions) end(ctx context.Context, r state.Subscription, graph graphsync.Subscriber) error {
	if r.ID != "" {
		if err := graph.Unsubscribe(ctx, r.ID); err != nil {
			return err
		}
	} else if err := endOthers(ctx, graph, r.Stream, r.URL); err != nil {
		return err
	}
	return s.Store.Delete(r.Tenant, r.Stream)
}

// ended keeps and logs how a step ended.
func (s *Subscriptions) ended(due step, k key, failed error) {
	log := s.Log.With("tenant", s.NameOf(k.tenant), "stream", string(k.stream))
	if failed == nil {
		switch due {
		case create:
			log.Info("change notifications are subscribed to")
		case end:
			log.Info("the subscription to change notifications has ended")
		default:
			log.Info("the subscription to change notifications is renewed")
		}
	} else {
		code, problem, hint := wordsOf(failed)
		var r state.Subscription
		err := s.Store.Change(k.tenant, k.stream, func(now *state.Subscription) error {
			now.Failures++
			now.Code, now.Problem, now.Hint = code, problem, hint
			now.NextTry = s.Now().Add(backoff(now.Failures, failed)).UTC().Truncate(time.Second)
			r = *now
			return nil
		})
		if err != nil {
			log.Error("keep what is known of subscriptions", "error", err)
		}
		log.Warn("no change notifications: the schedule finds what they would have hastened", "step", string(due), "code", code, "error", problem, "hint", hint, "next_try", r.NextTry)
	}
	if err := s.reload(); err != nil {
		log.Error("keep what is known of subscriptions", "error", err)
	}
}

// wordsOf returns the code of an error, what happened and what to do.
func wordsOf(err error) (code, problem, hint string) {
	var e *graphsync.Error
	if errors.As(err, &e) {
		return string(e.Class), e.Error(), e.Hint
	}
	return "failed", err.Error(), ""
}

// EndAll ends the subscriptions of a tenant that is removed, and forgets them whether or not Graph could be asked: those it still has
// expire, and their notifications are refused. graph is nil where the tenant cannot be reached.
func EndAll(ctx context.Context, store state.Subscriptions, tenant graphsync.ID, graph graphsync.Subscriber) error {
	known, err := store.Of(tenant)
	if err != nil {
		return err
	}
	var failed []error
	for _, r := range known {
		if graph != nil && r.ID != "" {
			attempt, cancel := context.WithTimeout(ctx, attemptTime)
			failed = append(failed, graph.Unsubscribe(attempt, r.ID))
			cancel()
		}
		failed = append(failed, store.Delete(tenant, r.Stream))
	}
	return errors.Join(failed...)
}

// Observe judges the subscriptions of a tenant by a read that began at a time and found changes of some streams. found has the
// streams that were read.
func (s *Subscriptions) Observe(tenant graphsync.ID, wanted Wanted, began time.Time, found map[graphsync.Stream]bool) {
	for _, stream := range streams {
		changed, wasRead := found[stream]
		if !wasRead || !wanted.stream(stream) {
			continue
		}
		k := key{tenant, stream}
		s.mu.Lock()
		before := s.read[k]
		s.read[k] = began
		delivered := s.marks[k].delivered
		s.mu.Unlock()
		if !changed || before.IsZero() {
			continue
		}
		silent := false
		err := s.Store.Change(tenant, stream, func(r *state.Subscription) error {
			if r.URL == "" {
				return errForgotten
			}
			if delivered.After(r.Delivered) {
				r.Delivered = delivered
			}
			silent = judge(r, read{before: before, at: s.Now()}, wanted.ExpectWithin)
			return nil
		})
		if err != nil && !errors.Is(err, errForgotten) {
			s.Log.Error("keep what is known of subscriptions", "tenant", s.NameOf(tenant), "error", err)
		}
		if silent {
			s.Log.Warn("the subscription delivers nothing: changes were read, and no notification of them came; the schedule finds them",
				"tenant", s.NameOf(tenant), "stream", string(stream), "hint", "see that Graph reaches "+wanted.URL)
		}
	}
}
