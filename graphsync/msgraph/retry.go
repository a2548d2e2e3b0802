package msgraph

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/odata"
)

// Bounds of the retry loop; Config.MaxElapsed bounds it as a whole.
const (
	firstWait    = time.Second // doubled each time
	longestWait  = time.Minute
	faultRetries = 4 // after 5xx answers and lost connections
	bodyRetries  = 2 // after bodies that are not JSON
	obeyed       = 8 // times a Retry-After is taken at its word, should it ask for next to nothing
)

// retries is what one call has been through.
type retries struct {
	tries, faults, broken int
	waited                time.Duration
}

// next says whether to try again after an error, and after what wait. A connection that
// cannot be made counts as passing only where one was made before.
func (r *retries) next(e *graphsync.Error, reached bool) (wait time.Duration, again bool) {
	switch {
	case errors.Is(e, graphsync.ErrResync):
	case e.Class == graphsync.Throttled, e.Status == http.StatusServiceUnavailable && e.RetryAfter > 0:
		again = true
	case e.Class == graphsync.Transient, e.Class == graphsync.Unreachable && reached:
		again = r.faults < faultRetries
		r.faults++
	case errors.Is(e, odata.ErrNotJSON):
		again = r.broken < bodyRetries
		r.broken++
	}
	backoff := min(firstWait<<min(r.tries, 10), longestWait)
	if wait = e.RetryAfter; wait <= 0 || r.tries >= obeyed {
		wait = max(wait, backoff)
	}
	wait += rand.N(wait/10 + 1) // so that tenants do not come back in step
	r.tries++
	r.waited += wait
	return wait, again
}

// A pause is how long all calls of a source wait, because Graph throttled one of them: the limits are those
// of app and tenant together (Graph throttling limits, "Identity and access").
type pause struct {
	mu    sync.Mutex
	until time.Time
}

// extend makes the pause last for at least that time from now.
func (p *pause) extend(wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(wait); until.After(p.until) {
		p.until = until
	}
}

// wait returns when the pause is over.
func (p *pause) wait(ctx context.Context) error {
	for {
		p.mu.Lock()
		left := time.Until(p.until)
		p.mu.Unlock()
		if left <= 0 {
			return nil
		}
		if err := sleep(ctx, left); err != nil {
			return err
		}
	}
}

// retryAfter reads the header's three forms: seconds, seconds with a fraction (Graph
// throttling guidance shows one) and an HTTP date (RFC 9110 section 10.2.3). Nonsense is 0.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if !(seconds > 0) {
			return 0
		}
		return time.Duration(min(seconds, 86400) * float64(time.Second))
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return stopped(ctx)
	}
}

// stopped is the error of a call whose context has ended. The cause may be the error of another call that ended
// them all, so it is passed on as text only: a 404 there is no absence here, and a link refused there begins no
// new round here.
func stopped(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("stopped: %v", cause)
	}
	return ctx.Err()
}
