package reconcile

import (
	"testing"
	"time"
)

// A kept plan is applied while it is young enough and everything that it was made from is the same. One whose time lies
// ahead is of another clock.
func TestSamePlan(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		age  time.Duration
		same bool
	}{"just made": {0, true}, "as old as it may be": {time.Hour, true}, "too old": {time.Hour + 1, false}, "of the future": {-1, false}} {
		if got := (keptPlan{At: now.Add(-tt.age)}).sameAs(keptPlan{At: now}, time.Hour); got != tt.same {
			t.Errorf("%s: the same plan: %t, want %t", name, got, tt.same)
		}
	}
}
