package subscriptions

import (
	"sync"
	"time"

	"entrasync/graphsync"
)

// What a hint may start. Graph posts a notification for each change, and a change that is notified of may not be readable yet: several
// are gathered. A tenant with many changes is read on its schedule, and early so often at most.
const (
	gather  = 5 * time.Second
	spacing = 10 * time.Second
	perHour = 12
)

// An allowance is how often a tenant may still be read early. The zero value is full.
type allowance struct {
	used  float64   // of perHour; falls with time
	at    time.Time // when used was so
	last  time.Time // the early read that was planned last
	early bool
}

// plan returns when a hint that comes now is followed, and the allowance then. One that comes before the last planned read has begun is
// followed by that read: ok is false.
func (a allowance) plan(now time.Time) (at time.Time, then allowance, ok bool) {
	if a.early && a.last.After(now) {
		if a.last.Sub(now) <= time.Hour { // else the clock went back
			return time.Time{}, a, false
		}
		a = allowance{}
	}
	at = now.Add(gather)
	if a.early {
		if next := a.last.Add(spacing); next.After(at) {
			at = next
		}
	}
	used := max(0, a.used-at.Sub(a.at).Hours()*perHour)
	if over := used + 1 - perHour; over > 0 {
		at = at.Add(time.Duration(over / perHour * float64(time.Hour)))
		used = perHour - 1
	}
	return at, allowance{used: used + 1, at: at, last: at, early: true}, true
}

// Allowances bound how often hints are followed, by tenant. The zero value is usable. Its methods may be called concurrently.
type Allowances struct {
	mu sync.Mutex // guards of
	of map[graphsync.ID]allowance
}

// Plan returns when a hint that comes now is followed; ok is false when a read that is planned already follows it.
func (a *Allowances) Plan(tenant graphsync.ID, now time.Time) (at time.Time, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		a.of = map[graphsync.ID]allowance{}
	}
	at, then, ok := a.of[tenant].plan(now)
	if ok {
		a.of[tenant] = then
	}
	return at, ok
}
