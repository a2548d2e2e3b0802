package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"entrasync/graphsync"
	"entrasync/target"
)

// maxFailures is how many calls in a row may find the application not answering before the cycle
// ends, and maxFailuresAtStart how many look-ups when it has not answered any: each is retried in the target's client,
// and takes minutes when there is no response. After so many look-ups it is asked whether it works:
// one that does, but cannot look for a few people, must not keep the leavers from leaving.
const (
	maxFailures        = 20
	maxFailuresAtStart = 3
)

// A breaker is the circuit breaker of the application: it counts the look-ups in a row that were not
// answered. It is safe for concurrent use.
type breaker struct {
	target target.Adapter
	sync   *Sync

	answered   atomic.Bool
	unanswered atomic.Int32

	asking chan struct{} // holds one while the application is asked whether it works
	silent bool          // it does not; guarded by asking
}

// newBreaker is the breaker of the application that a sync writes to.
func newBreaker(application target.Adapter, sync *Sync) *breaker {
	return &breaker{target: application, sync: sync, asking: make(chan struct{}, 1)}
}

// open takes the outcome of a look-up and reports whether the application is to be believed
// silent.
func (b *breaker) open(ctx context.Context, err error) bool {
	if ctx.Err() != nil || !b.record(err) {
		return false
	}
	select {
	case b.asking <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-b.asking }()
	if b.silent || !b.suspect() { // another look-up has had it asked
		return b.silent
	}
	_, err = b.target.Probe(ctx, b.sync.Paths())
	switch {
	case ctx.Err() != nil:
	case err != nil && target.CodeOf(err) == target.Unavailable:
		b.silent = true
	default:
		b.answered.Store(true)
		b.unanswered.Store(0)
	}
	return b.silent
}

// record counts the outcome of one look-up and reports whether the application may be silent.
func (b *breaker) record(err error) (suspect bool) {
	var failure *target.Error
	if !errors.As(err, &failure) || failure.Code != target.Unavailable {
		b.answered.Store(true)
		b.unanswered.Store(0)
		return false
	}
	b.unanswered.Add(1)
	return b.suspect()
}

func (b *breaker) suspect() bool {
	n := b.unanswered.Load()
	return n >= maxFailures || n >= maxFailuresAtStart && !b.answered.Load()
}

// A breakerOpenError ends a cycle because the application has stopped answering. The sync is paused: the
// next cycles only ask whether it is back.
type breakerOpenError struct {
	target string
	last   error
}

// Error names the target and says what its last call found.
func (s *breakerOpenError) Error() string {
	return fmt.Sprintf("target %s has stopped answering: %v", s.target, s.last)
}

// Unwrap returns the error of the last call.
func (s *breakerOpenError) Unwrap() error { return s.last }

// hopeless tells whether a failed look-up says that no other will work either: one value that an
// application cannot cope with must not stop the rest, an application that cannot search people at
// all must.
func hopeless(kind graphsync.Kind, err error) bool {
	var failure *target.Error
	if !errors.As(err, &failure) || failure.Code.Stops() {
		return true
	}
	return kind == graphsync.User && (failure.Code == target.Unsupported || failure.Code == target.Forbidden)
}
