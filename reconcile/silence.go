package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"entrasync/target"
)

// downAfter is how many calls in a row may find the application not answering before the cycle
// ends, and neverUp how many look-ups when it has not answered any: each is repeated by itself,
// and takes minutes when nobody is there. After so many look-ups it is asked whether it works:
// one that does, but cannot look for a few people, must not keep the leavers from leaving.
const (
	downAfter = 20
	neverUp   = 3
)

// A listener counts the look-ups in a row that an application did not answer.
type listener struct {
	answered   atomic.Bool
	unanswered atomic.Int32

	asking chan struct{} // holds one while the application is asked whether it works
	silent bool          // it does not; guarded by asking
}

// silent takes the outcome of a look-up and reports whether the application is to be believed
// silent.
func (c *cycle) silent(ctx context.Context, err error) bool {
	l := &c.listen
	if ctx.Err() != nil || !l.heard(err) {
		return false
	}
	select {
	case l.asking <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-l.asking }()
	if l.silent || !l.doubtful() { // another look-up has had it asked
		return l.silent
	}
	_, err = c.Target.Probe(ctx, c.Sync.Paths())
	switch {
	case ctx.Err() != nil:
	case err != nil && target.CodeOf(err) == target.Unavailable:
		l.silent = true
	default:
		l.answered.Store(true)
		l.unanswered.Store(0)
	}
	return l.silent
}

// heard counts the outcome of one look-up and reports whether the application may be silent.
func (l *listener) heard(err error) (doubtful bool) {
	var failure *target.Error
	if !errors.As(err, &failure) || failure.Code != target.Unavailable {
		l.answered.Store(true)
		l.unanswered.Store(0)
		return false
	}
	l.unanswered.Add(1)
	return l.doubtful()
}

func (l *listener) doubtful() bool {
	n := l.unanswered.Load()
	return n >= downAfter || n >= neverUp && !l.answered.Load()
}

// A silence ends a cycle because the application has stopped answering. The sync is paused: the
// next cycles only ask whether it is back.
type silence struct {
	target string
	last   error
}

// Error names the target and says what its last call found.
func (s *silence) Error() string {
	return fmt.Sprintf("target %s has stopped answering: %v", s.target, s.last)
}

// Unwrap returns the error of the last call.
func (s *silence) Unwrap() error { return s.last }
