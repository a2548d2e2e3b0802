package reconcile

import (
	"errors"
	"fmt"
	"sync/atomic"

	"entrasync/target"
)

// downAfter is how many calls in a row may find the application not answering before the cycle
// ends, and neverUp how many look-ups when it has not answered any: each is repeated by itself,
// and takes minutes when nobody is there.
const (
	downAfter = 20
	neverUp   = 3
)

// A listener counts the look-ups in a row that an application did not answer.
type listener struct {
	answered   atomic.Bool
	unanswered atomic.Int32
}

// heard takes the outcome of one and reports whether the application is to be believed silent.
func (l *listener) heard(err error) (silent bool) {
	var failure *target.Error
	if !errors.As(err, &failure) || failure.Code != target.Unavailable {
		l.answered.Store(true)
		l.unanswered.Store(0)
		return false
	}
	n := l.unanswered.Add(1)
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
