package subscriptions

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// A hint is followed after some seconds; those that come until then are followed with it, the next one some seconds later.
func TestAllowance(t *testing.T) {
	t.Parallel()
	var a allowance
	at, a, ok := a.plan(noon)
	if want := noon.Add(gather); !ok || !at.Equal(want) {
		t.Errorf("the first hint is followed at %s, %v", at, ok)
	}
	if _, _, again := a.plan(noon.Add(gather - time.Millisecond)); again {
		t.Error("a hint before the planned read was not followed with it")
	}
	later := at.Add(time.Millisecond)
	next, _, ok := a.plan(later)
	if want := at.Add(spacing); !ok || !next.Equal(want) {
		t.Errorf("a hint just after the read is followed at %s, want %s", next, want)
	}
	// A clock that went back by a day must not end all early reads for a day.
	if back, _, ok := a.plan(noon.AddDate(0, 0, -1)); !ok || !back.Equal(noon.AddDate(0, 0, -1).Add(gather)) {
		t.Errorf("after the clock went back a hint is followed at %s, %v", back, ok)
	}
}

// However hints come, a tenant is read early perHour times at once and perHour times in each further hour, never twice within
// spacing, and each hint is followed: by a read that begins after it.
func TestAllowanceBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var a allowance
		var reads []time.Time
		now := noon
		for range rapid.IntRange(1, 400).Draw(rt, "hints") {
			now = now.Add(time.Duration(rapid.IntRange(0, 120_000).Draw(rt, "milliseconds")) * time.Millisecond)
			at, then, ok := a.plan(now)
			switch {
			case ok:
				reads = append(reads, at)
			case len(reads) == 0 || !reads[len(reads)-1].After(now):
				rt.Fatalf("the hint at %s is followed by no read", now)
			}
			if ok && at.Before(now.Add(gather)) {
				rt.Fatalf("the hint at %s is followed at once", now)
			}
			a = then
		}
		for i, at := range reads {
			if i > 0 && at.Sub(reads[i-1]) < spacing {
				rt.Fatalf("reads at %s and %s", reads[i-1], at)
			}
			within := 0
			for _, other := range reads[:i+1] {
				if at.Sub(other) < time.Hour {
					within++
				}
			}
			if within > 2*perHour {
				rt.Fatalf("%d reads in the hour before %s", within, at)
			}
		}
		if hours := now.Sub(noon).Hours(); float64(len(reads)) > perHour*(1+hours)+1 {
			rt.Fatalf("%d reads in %.2f hours", len(reads), hours)
		}
	})
}
