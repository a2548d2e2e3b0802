package reconcile_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/scope"
)

// dates sets dates of a user; "" is none.
func (d *directory) dates(n int, hired, leaves string) {
	change := d.people[userID(n)]
	change.Properties = slices.DeleteFunc(slices.Clone(change.Properties), func(p graphsync.Property) bool { return strings.HasPrefix(p.Name, "employee") })
	for name, date := range map[string]string{"employeeHireDate": hired, "employeeLeaveDateTime": leaves} {
		value := []byte("null")
		if date != "" {
			value = []byte(strconv.Quote(date))
		}
		change.Properties = append(change.Properties, graphsync.Property{Name: name, Value: value})
	}
	d.people[userID(n)] = change
	d.pending = append(d.pending, change)
}

// employed has a sync take users from their hire date, less some days, until their leave date.
func employed(t testing.TB, zone, ahead string) func(*reconcile.Sync) {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	hired := scope.Clause{Attribute: "employeeHireDate", Operator: "BEFORE", Value: "now" + ahead}
	filter, faults := scope.Compile([][]scope.Clause{
		{hired, {Attribute: "employeeLeaveDateTime", Operator: "IS NULL"}},
		{hired, {Attribute: "employeeLeaveDateTime", Operator: "AFTER", Value: "now"}},
	}, location)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return func(s *reconcile.Sync) {
		s.Scope.Filter, s.Zone = filter, location
		s.Text += filter.String()
	}
}

// staff is a tenant whose users have accounts from their hire date until their leave date, in a zone.
func staff(t testing.TB, zone string, start time.Time) *customer {
	t.Helper()
	c := newService(t).customer("contoso")
	c.service.now = start
	c.change = employed(t, zone, "")
	return c
}

// clock sets when the next cycle is.
func (c *customer) clock(now time.Time) { c.service.now = now.Add(-30 * time.Minute) }

// at makes a cycle at a time.
func (c *customer) at(now time.Time, opts reconcile.Options) string {
	c.t.Helper()
	c.clock(now)
	return c.must(opts)
}

// evaluating makes a cycle at a time, and returns what it did and how many users it evaluated.
func (c *customer) evaluating(now time.Time) (did string, users int) {
	c.t.Helper()
	c.clock(now)
	c.syncing(func(s *reconcile.Syncer) {
		s.Progress = func(step reconcile.Step) {
			if step.Stage == "drafting" {
				users = step.Done
			}
		}
		report, err := s.Run(c.t.Context(), reconcile.Options{Apply: true})
		if err != nil {
			c.t.Fatal(err)
		}
		did = told(report)
	})
	return did, users
}

// A date that has changed acts on its new day, and costs nothing on the former one.
func TestDatesThatMove(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	c := staff(t, "UTC", start)
	c.source.person(1, "p1@example.com", "P")
	c.source.dates(1, "2026-12-02T00:00:00Z", "")
	want(t, "first cycle", c.cycle(), "")
	c.source.dates(1, "2026-12-04T00:00:00Z", "")
	want(t, "the date moves", c.cycle(), "")
	for n, want := range []string{"", "", "1 created"} {
		did, evaluated := c.evaluating(start.AddDate(0, 0, 2+n))
		if did != want || evaluated != len(want)/len("1 created") {
			t.Errorf("day %d: %q, %d users evaluated; want %q", 2+n, did, evaluated, want)
		}
	}
}

// A date acts in the first cycle from midnight in the sync's zone on, also where the clocks change that night and where
// no cycle ran for hours, and no other user is evaluated.
func TestDatesActOnTheirDay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ day, zone, midnight string }{
		{"2026-12-01", "UTC", "2026-12-01T00:00:00Z"},
		{"2026-12-01", "Europe/Berlin", "2026-11-30T23:00:00Z"},
		{"2027-03-28", "Europe/Berlin", "2027-03-27T23:00:00Z"},
		{"2027-03-29", "Europe/Berlin", "2027-03-28T22:00:00Z"}, // after the night of 23 hours
		{"2026-10-26", "Europe/Berlin", "2026-10-25T23:00:00Z"}, // after the night of 25 hours
		{"2026-12-01", "Pacific/Auckland", "2026-11-30T11:00:00Z"},
	} {
		for _, late := range []time.Duration{0, 9 * time.Hour} {
			t.Run(fmt.Sprint(tt.day, " in ", tt.zone, " ", late), func(t *testing.T) {
				t.Parallel()
				midnight, err := time.Parse(time.RFC3339, tt.midnight)
				if err != nil {
					t.Fatal(err)
				}
				c := staff(t, tt.zone, midnight.Add(-2*time.Hour))
				for n := 1; n <= 20; n++ {
					c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
					c.source.dates(n, "2001-01-01T00:00:00Z", "")
				}
				c.source.dates(1, tt.day+"T00:00:00Z", "")
				c.source.dates(2, "2001-01-01T00:00:00Z", tt.day+"T00:00:00Z")
				c.source.dates(3, "", "")
				want(t, "before", c.cycle(), "18 created")
				want(t, "a second before midnight", c.at(midnight.Add(-time.Second), reconcile.Options{Apply: true}), "18 unchanged")
				did, evaluated := c.evaluating(midnight.Add(late))
				want(t, "at midnight", did, "1 created, 1 deactivated, 17 unchanged")
				if evaluated != 2 {
					t.Errorf("%d users were evaluated, want 2", evaluated)
				}
				want(t, "afterwards", c.at(midnight.Add(24*time.Hour), reconcile.Options{Apply: true}), "19 unchanged")
			})
		}
	}
}

// What a plan of another configuration worked out, and what a cycle of another one kept, does not move a date.
func TestDatesAfterOtherConfigurations(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	c := staff(t, "UTC", start)
	c.source.person(1, "p1@example.com", "P")
	c.source.dates(1, "2026-12-10T00:00:00Z", "")
	want(t, "first cycle", c.cycle(), "")
	c.change = employed(t, "UTC", " + 5d")
	want(t, "plan with another filter", c.must(reconcile.Options{}), "")
	c.change = employed(t, "UTC", "")
	want(t, "its day", c.at(start.AddDate(0, 0, 10), reconcile.Options{}), "1 created")
	want(t, "its day again", c.at(start.AddDate(0, 0, 10), reconcile.Options{Apply: true}), "1 created")

	c.source.person(2, "p2@example.com", "P")
	c.source.dates(2, "2026-12-20T00:00:00Z", "")
	want(t, "a later joiner", c.cycle(), "1 unchanged")
	c.change = employed(t, "UTC", " + 2d")
	want(t, "another filter", c.cycle(), "1 unchanged")
	want(t, "its day less two", c.at(start.AddDate(0, 0, 18), reconcile.Options{Apply: true}), "1 created, 1 unchanged")
	c.change = nil
	want(t, "no filter", c.cycle(), "2 unchanged")
	want(t, "later", c.at(start.AddDate(0, 0, 40), reconcile.Options{Apply: true}), "2 unchanged")
}

// A removals cycle lets leavers go when their date has come, and leaves joiners to the schedule.
func TestDatesInRemovalsCycles(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	c := staff(t, "UTC", start)
	for n := 1; n <= 3; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
		c.source.dates(n, "2001-01-01T00:00:00Z", "")
	}
	c.source.dates(1, "2026-12-01T00:00:00Z", "")
	c.source.dates(2, "2001-01-01T00:00:00Z", "2026-12-01T00:00:00Z")
	want(t, "first cycle", c.cycle(), "2 created")
	removals := reconcile.Options{Apply: true, Removals: true, Scheduled: true}
	want(t, "before", c.at(start.Add(time.Hour), removals), "2 unchanged")
	want(t, "removals", c.at(start.Add(12*time.Hour), removals), "1 deactivated, 1 unchanged")
	want(t, "removals again", c.at(start.Add(12*time.Hour+2*time.Minute), removals), "2 unchanged")
	want(t, "schedule", c.at(start.Add(13*time.Hour), reconcile.Options{Apply: true, Scheduled: true}), "1 created, 2 unchanged")
}

// A day on which many leave is held like every other removal of many.
func TestManyLeaveOnADay(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	c := staff(t, "UTC", start)
	dates := c.change
	c.change = func(s *reconcile.Sync) {
		dates(s)
		s.Guard = guard.Guard{Removals: guard.Limit{Count: new(5)}}
	}
	for n := 1; n <= 30; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
		c.source.dates(n, "2001-01-01T00:00:00Z", "2026-12-01T00:00:00Z")
	}
	want(t, "first cycle", c.cycle(), "30 created")
	for n := range 3 {
		report, err := c.run(reconcile.Options{Apply: true, Removals: n == 1})
		if n == 0 {
			c.service.now = start.Add(12 * time.Hour)
			continue
		}
		if err != nil || report.Summary.Held != 30 || report.Summary.Deactivate != 0 {
			t.Fatalf("cycle %d: %v, %+v", n, err, report.Summary)
		}
	}
}

// While this machine's clock and Graph's differ, dates neither create nor remove anything; when they agree again, what is
// due by then is done.
func TestDatesByAClockThatIsWrong(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	c := staff(t, "UTC", start)
	graph := start
	c.source.clock = func() time.Time { return graph }
	for n := 1; n <= 3; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	c.source.dates(1, "2026-12-01T00:00:00Z", "2026-12-20T00:00:00Z")
	c.source.dates(2, "2001-01-01T00:00:00Z", "2026-12-02T00:00:00Z")
	c.source.dates(3, "2001-01-01T00:00:00Z", "")
	want(t, "first cycle", c.at(start, reconcile.Options{Apply: true}), "2 created")

	c.service.now = start.AddDate(0, 0, 60)
	c.source.dates(3, "2001-01-01T00:00:00Z", "2026-12-03T00:00:00Z") // changed while the clock is wrong
	for _, opts := range []reconcile.Options{{}, {Apply: true}, {Apply: true, Full: true}, {Apply: true, Removals: true}} {
		report, err := c.run(opts)
		if err != nil || report.Summary.Changes() > 0 {
			t.Fatalf("%+v: %v, %+v", opts, err, report.Summary)
		}
	}
	graph = start.Add(time.Hour)
	want(t, "the clock is right", c.at(graph, reconcile.Options{Apply: true}), "2 unchanged")
	for _, step := range []struct {
		days int
		want string
	}{{1, "1 created, 2 unchanged"}, {2, "1 deactivated, 2 unchanged"}, {3, "1 deactivated, 2 unchanged"}, {20, "1 deactivated, 2 unchanged"}} {
		graph = start.AddDate(0, 0, step.days)
		want(t, fmt.Sprint("day ", step.days), c.at(graph, reconcile.Options{Apply: true}), step.want)
	}
}

// A plan announces what dates change in the next days, as the configuration it is made with sees it.
func TestPlanAnnouncesDates(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	c := staff(t, "Europe/Berlin", start)
	for n := 1; n <= 14; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
		c.source.dates(n, "2026-12-02T00:00:00Z", "")
	}
	c.source.dates(1, "2026-12-08T00:00:00Z", "") // on the last day but none
	c.source.dates(2, "2026-11-01T00:00:00Z", "2026-12-07T00:00:00Z")
	announced := func() string {
		t.Helper()
		report, err := c.run(reconcile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, day := range report.Upcoming {
			line := fmt.Sprintf("%s %d", day.Day, day.Objects)
			if len(day.Examples) > 10 {
				t.Errorf("%d examples", len(day.Examples))
			}
			if e := day.Examples[0]; day.Objects == 1 {
				line += fmt.Sprintf(" %s %s %v", e.At.Format(time.RFC3339), e.Key, e.InScope)
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, "; ")
	}
	const all = "2026-12-02 12; 2026-12-07 1 2026-12-07T00:00:00+01:00 p2@example.com false"
	want(t, "first plan", announced(), all)
	c.cycle()
	want(t, "after a cycle", announced(), all)
	c.source.dates(2, "2026-11-01T00:00:00Z", "2026-12-05T00:00:00Z")
	want(t, "a date has changed", announced(), "2026-12-02 12; 2026-12-05 1 2026-12-05T00:00:00+01:00 p2@example.com false")
	c.change = employed(t, "Europe/Berlin", " + 1d")
	want(t, "another filter", announced(), "2026-12-01 12; 2026-12-05 1 2026-12-05T00:00:00+01:00 p2@example.com false; 2026-12-07 1 2026-12-07T00:00:00+01:00 p1@example.com true")
}

// However dates, cycles of every kind and other changes follow each other, after a cycle accounts are those that a cycle
// which evaluates everybody would have made.
func TestDatesAreAsEvaluatedInFull(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		start := time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
		c := staff(t, "Europe/Berlin", start)
		berlin, _ := time.LoadLocation("Europe/Berlin")
		var aheadDays int
		type person struct{ hired, leaves time.Time }
		people := map[int]person{}
		day := rapid.Custom(func(rt *rapid.T) time.Time {
			return time.Date(2026, 10, 20+rapid.IntRange(0, 12).Draw(rt, "day"), 0, 0, 0, 0, berlin)
		})
		format := func(at time.Time) string {
			if at.IsZero() {
				return ""
			}
			return at.Format(time.DateOnly) + "T00:00:00Z"
		}
		active := func() string {
			var names []string
			for n := 1; n <= 6; n++ {
				p, ok := people[n]
				if ok && !p.hired.IsZero() && !c.now.Before(p.hired.AddDate(0, 0, -aheadDays)) && (p.leaves.IsZero() || c.now.Before(p.leaves)) {
					names = append(names, fmt.Sprintf("p%d@example.com", n))
				}
			}
			return fmt.Sprint(names)
		}
		for range rapid.IntRange(3, 10).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"dates", "dates", "time", "time", "time", "plan", "removals", "configuration", "full"}).Draw(rt, "step") {
			case "dates":
				n := rapid.IntRange(1, 6).Draw(rt, "n")
				p := person{}
				if rapid.IntRange(0, 4).Draw(rt, "hired at all") > 0 {
					p.hired = day.Draw(rt, "hired")
				}
				if rapid.Bool().Draw(rt, "leaves at all") {
					p.leaves = day.Draw(rt, "leaves")
				}
				people[n] = p
				c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
				c.source.dates(n, format(p.hired), format(p.leaves))
				continue
			case "time":
				c.service.now = c.now.Add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "hours")) * time.Hour)
			case "plan":
				c.must(reconcile.Options{})
				continue
			case "removals":
				c.must(reconcile.Options{Apply: true, Removals: true})
				continue
			case "configuration":
				aheadDays = 3 - aheadDays
				c.change = employed(t, "Europe/Berlin", fmt.Sprintf(" + %dd", aheadDays))
			case "full":
				c.must(reconcile.Options{Apply: true, Full: true})
			}
			c.cycle()
			var got []string
			for _, account := range c.app().accounts {
				if account["active"] == true {
					got = append(got, fmt.Sprint(account["userName"]))
				}
			}
			slices.Sort(got)
			if fmt.Sprint(got) != active() {
				rt.Fatalf("at %s accounts of %v are active, want %s", c.now, got, active())
			}
		}
	})
}

// Dates decide about groups as they do about users, with their members, and not while the clock is wrong.
func TestDatesOfGroups(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	filter, faults := scope.Compile([][]scope.Clause{{{Attribute: "displayName", Operator: "WITHIN", Value: "now - 5d to now"}}}, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	c := newService(t).customer("contoso")
	c.service.now = start
	c.change = func(s *reconcile.Sync) {
		withGroups(s)
		s.Groups.Filter = filter
		s.Text += filter.String()
	}
	graph := start.Add(30 * time.Minute)
	c.source.clock = func() time.Time { return graph }
	c.source.person(1, "ada@example.com", "Ada")
	c.source.team(1, "2026-12-02", 1)
	g := c.behindGateway()
	groups := func() string {
		var found []string
		for _, group := range g.groups {
			name := fmt.Sprint(group.attributes["displayName"])
			found = append(found, name+": "+g.membersOf(name))
		}
		return strings.Join(found, ", ")
	}
	want(t, "first cycle", c.cycle(), "1 created")
	want(t, "no group yet", groups(), "")
	c.clock(start.AddDate(0, 0, 3))
	if report, err := c.run(reconcile.Options{Apply: true}); err != nil || report.Summary.Changes() > 0 {
		t.Fatalf("the clock is wrong: %v, %+v", err, report.Summary)
	}
	graph = start.AddDate(0, 0, 3)
	c.at(graph, reconcile.Options{Apply: true})
	want(t, "its day has come", groups(), "2026-12-02: ada")
	graph = start.AddDate(0, 0, 9)
	c.at(graph, reconcile.Options{Apply: true})
	want(t, "its time is over", groups(), "")
}

// A clock that is ahead switches no account on whose user is to come back on a later day.
func TestReturnByAClockThatIsWrong(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	c := staff(t, "UTC", start)
	graph := start
	c.source.clock = func() time.Time { return graph }
	c.source.person(1, "p1@example.com", "P")
	c.source.dates(1, "2001-01-01T00:00:00Z", "")
	want(t, "first cycle", c.at(start, reconcile.Options{Apply: true}), "1 created")
	c.source.dates(1, "2026-12-10T00:00:00Z", "")
	graph = start.Add(time.Hour)
	want(t, "away until a day", c.at(graph, reconcile.Options{Apply: true}), "1 deactivated")
	for _, opts := range []reconcile.Options{{Apply: true}, {Apply: true, Full: true}, {Apply: true, Removals: true}} {
		c.clock(start.AddDate(0, 0, 60))
		if report, err := c.run(opts); err != nil || report.Summary.Changes() > 0 {
			t.Fatalf("%+v: %v, %+v", opts, err, report.Summary)
		}
	}
	graph = start.AddDate(0, 0, 1)
	want(t, "the clock is right", c.at(graph, reconcile.Options{Apply: true}), "1 unchanged")
	graph = start.AddDate(0, 0, 10)
	want(t, "the day", c.at(graph, reconcile.Options{Apply: true}), "1 reactivated")
}
