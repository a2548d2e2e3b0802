package guard_test

import (
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

func count(n int) guard.Limit           { return guard.Limit{Count: &n} }
func percent(p float64) guard.Limit     { return guard.Limit{Percent: &p} }
func both(n int, p float64) guard.Limit { return guard.Limit{Count: &n, Percent: &p} }

func TestLimitExceeds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		limit    guard.Limit
		n, total int
		want     bool
	}{
		{"no limit", guard.Limit{}, 1000, 1000, false},
		{"as many as the count", count(5), 5, 100, false},
		{"one more than the count", count(5), 6, 100, true},
		{"0 holds one", count(0), 1, 100, true},
		{"0 holds nothing when nothing is due", count(0), 0, 100, false},
		{"exactly the share", percent(10), 10, 100, false},
		{"more than the share", percent(10), 11, 100, true},
		{"two of two are too few for a share", percent(10), 2, 2, false},
		{"three of three are not", percent(10), 3, 3, true},
		{"0 percent counts from the first on", percent(0), 1, 1000, true},
		{"a fraction of a percent", percent(0.5), 6, 1000, true},
		{"a share of nothing", percent(50), 3, 0, true},
		{"100 percent", percent(100), 7, 7, false},
		{"the count of both", both(5, 50), 6, 100, true},
		{"the share of both", both(50, 5), 6, 100, true},
		{"neither of both", both(6, 6), 6, 100, false},
	} {
		if got := tt.limit.Exceeds(tt.n, tt.total); got != tt.want {
			t.Errorf("%s: %d of %d: %v, want %v", tt.name, tt.n, tt.total, got, tt.want)
		}
	}
}

// Of a few accounts any share is large: a share of updates counts from 20 linked accounts on, a count
// and 0 % always.
func TestLimitOfUpdates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name              string
		limit             guard.Limit
		n, total, account int
		want              bool
	}{
		{"a share of 19 accounts", percent(20), 19, 19, 19, false},
		{"a share of 20 accounts", percent(20), 5, 20, 20, true},
		{"0 % of 3 accounts", percent(0), 1, 3, 3, true},
		{"a count of 3 accounts", count(1), 2, 3, 3, true},
		{"the count stays without the share", both(5, 20), 6, 19, 19, true},
	} {
		if got := tt.limit.OfUpdates(tt.account).Exceeds(tt.n, tt.total); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	limit := percent(20)
	if limit.OfUpdates(3); limit.Percent == nil {
		t.Error("the limit of the configuration was changed")
	}
}

// What was held depends on the limits: other limits are another text, equal ones the same.
func TestText(t *testing.T) {
	t.Parallel()
	five, six := 5, 6
	owners, err := target.ParseFilter(`title eq "owner"`)
	if err != nil {
		t.Fatal(err)
	}
	base := guard.Guard{Removals: guard.Limit{Count: &five}}
	for name, other := range map[string]guard.Guard{
		"another count":    {Removals: guard.Limit{Count: &six}},
		"another limit":    {Creations: guard.Limit{Count: &five}},
		"a domain":         {Removals: base.Removals, Domains: []string{"contoso.example"}},
		"no domain":        {Removals: base.Removals, Domains: []string{}},
		"administrators":   {Removals: base.Removals, Administrators: &owners},
		"first run passes": {Removals: base.Removals, FirstRunRemovals: true},
		"guests' address":  {Removals: base.Removals, GuestAddresses: true},
		"groups are held":  {Removals: base.Removals, HoldGroups: true},
	} {
		if other.Text() == base.Text() {
			t.Errorf("%s: the text is the same: %s", name, base.Text())
		}
	}
	alike := 5
	if other := (guard.Guard{Removals: guard.Limit{Count: &alike}, Rejections: time.Hour}); other.Text() != base.Text() {
		t.Errorf("equal limits have the texts %s and %s", base.Text(), other.Text())
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	var s guard.Sample
	if s.String() != "" {
		t.Errorf("of nothing: %q", s.String())
	}
	s.Add("ada")
	s.Add("bob")
	if s.String() != "ada, bob" {
		t.Errorf("of two: %q", s.String())
	}
	for range guard.SampleSize - 1 {
		s.Add("x")
	}
	if want := "ada, bob, x, x, x, x, x, x, x, x and 1 more"; s.String() != want || s.N != guard.SampleSize+1 {
		t.Errorf("of eleven: %q, %d", s.String(), s.N)
	}
}

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestDecisionExpires(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for _, tt := range []struct {
		name    string
		verdict guard.Verdict
		made    time.Time
		now     time.Time
		last    time.Duration
		want    bool
	}{
		{"a rejection before its end", guard.Rejected, at, at.Add(day - 1), day, false},
		{"a rejection at its end", guard.Rejected, at, at.Add(day), day, true},
		{"a rejection for ever", guard.Rejected, at, at.Add(10000 * day), 0, false},
		{"a rejection of unknown time", guard.Rejected, time.Time{}, at, day, false},
		{"an approval", guard.Approved, at, at.Add(10 * day), day, false},
	} {
		d := guard.Decision{Decision: plan.Decision{At: tt.made}, Verdict: tt.verdict}
		if got := d.Expired(tt.now, tt.last); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// An approval covers at most what was shown; a rejection also ends with its cause.
func TestDecisionLapses(t *testing.T) {
	t.Parallel()
	one, two := "1", "2"
	action := func(change func(*plan.StoredAction)) plan.StoredAction {
		a := plan.StoredAction{Action: plan.Action{Op: plan.Deactivate, Kind: graphsync.User, SourceID: graphsync.ID{1}, TargetID: &one, Cause: "left group Sales"}}
		change(&a)
		return a
	}
	same := func(*plan.StoredAction) {}
	group := func(leavers ...graphsync.ID) func(*plan.StoredAction) {
		return func(a *plan.StoredAction) { a.Op, a.Kind, a.Remove = plan.Members, graphsync.Group, leavers }
	}
	for _, tt := range []struct {
		name     string
		verdict  guard.Verdict
		was, now func(*plan.StoredAction)
		want     string
	}{
		{"approved, unchanged", guard.Approved, same, same, ""},
		{"rejected, unchanged", guard.Rejected, same, same, ""},
		{"approved, another cause", guard.Approved, same, func(a *plan.StoredAction) { a.Cause = "disabled in Entra" }, ""},
		{"rejected, another cause", guard.Rejected, same, func(a *plan.StoredAction) { a.Cause = "disabled in Entra" },
			`the cause is "disabled in Entra" and no longer "left group Sales"`},
		{"another operation", guard.Approved, same, func(a *plan.StoredAction) { a.Op = plan.Delete }, "it would delete and no longer deactivate"},
		{"another account", guard.Approved, same, func(a *plan.StoredAction) { a.TargetID = &two }, "it concerns account 2 and no longer 1"},
		{"fewer leavers", guard.Approved, group(graphsync.ID{1}, graphsync.ID{2}), group(graphsync.ID{2}), ""},
		{"one more leaver", guard.Approved, group(graphsync.ID{1}), group(graphsync.ID{1}, graphsync.ID{2}), "one more member would be removed"},
		{"other leavers", guard.Approved, group(graphsync.ID{1}), group(graphsync.ID{2}, graphsync.ID{3}), "2 more members would be removed"},
	} {
		now := action(tt.now)
		d := guard.Decision{Verdict: tt.verdict, Action: action(tt.was)}
		if got := d.Lapse(&now); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
