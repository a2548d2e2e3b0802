package scope_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entrasync/reconcile/scope"
)

func dated(t testing.TB, operator, value, zone string) *scope.Filter {
	t.Helper()
	f, faults := scope.Compile([][]scope.Clause{{{Attribute: "employeeHireDate", Operator: operator, Value: value}}}, location(t, zone))
	if len(faults) > 0 {
		t.Fatalf("%s %q: %v", operator, value, faults)
	}
	return f
}

func location(t testing.TB, zone string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A date changes the verdict at one moment: a nanosecond before it the verdict is another one. Days are those of the
// calendar of the zone, also where a day has 23 or 25 hours.
func TestDatesComeInTheirZone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ operator, value, date, zone, at string }{
		{"BEFORE", "now", "2026-12-01T00:00:00Z", "UTC", "2026-12-01T00:00:00Z"},
		{"BEFORE", "now", "2026-12-01T00:00:00Z", "Europe/Berlin", "2026-11-30T23:00:00Z"},
		{"BEFORE", "now", "2026-12-01", "America/New_York", "2026-12-01T05:00:00Z"},
		{"BEFORE", "now", "2026-12-01T00:00:00.0000000Z", "America/New_York", "2026-12-01T00:00:00Z"}, // an instant with digits of a second is one
		{"BEFORE", "now", "2026-12-01T08:30:00Z", "Europe/Berlin", "2026-12-01T08:30:00Z"},
		{"BEFORE", "now", "2026-12-01T08:30:00+02:00", "Europe/Berlin", "2026-12-01T06:30:00Z"},
		{"BEFORE", "now + 3d", "2026-12-01T00:00:00Z", "UTC", "2026-11-28T00:00:00Z"},
		{"BEFORE", "now - 12h", "2026-12-01T00:00:00Z", "UTC", "2026-12-01T12:00:00Z"},
		{"BEFORE", "NOW+2W", "2026-12-15T00:00:00Z", "UTC", "2026-12-01T00:00:00Z"},
		// Clocks in Berlin go forward on 2026-03-29 and back on 2026-10-25.
		{"BEFORE", "now + 1d", "2026-03-30T00:00:00Z", "Europe/Berlin", "2026-03-28T23:00:00Z"},
		{"BEFORE", "now - 1d", "2026-03-29T00:00:00Z", "Europe/Berlin", "2026-03-29T22:00:00Z"},
		{"BEFORE", "now - 1d", "2026-10-25T00:00:00Z", "Europe/Berlin", "2026-10-25T23:00:00Z"},
		{"AFTER", "now", "2026-12-01T00:00:00Z", "Europe/Berlin", "2026-11-30T23:00:00Z"},
		{"AFTER", "now - 30d", "2026-12-01T00:00:00Z", "UTC", "2026-12-31T00:00:00Z"},
	} {
		f, lookup := dated(t, tt.operator, tt.value, tt.zone), object(map[string]string{"employeeHireDate": `"` + tt.date + `"`})
		at, name := instant(t, tt.at), fmt.Sprintf("%s %s, date %s, %s", tt.operator, tt.value, tt.date, tt.zone)
		was, _ := f.Match(lookup, at.Add(-1))
		is, _ := f.Match(lookup, at)
		if past := is == scope.In; past != (tt.operator == "BEFORE") || was == is {
			t.Errorf("%s: %v just before %s and %v at it", name, was, tt.at, is)
		}
		if next := f.Next(lookup, at.Add(-time.Hour)); !next.Equal(at) {
			t.Errorf("%s: next change at %s, want %s", name, next.UTC().Format(time.RFC3339), tt.at)
		}
		if next := f.Next(lookup, at); !next.IsZero() {
			t.Errorf("%s: another change at %s", name, next)
		}
		if !f.Dated() {
			t.Errorf("%s: is not said to depend on the time", name)
		}
	}
}

// A fixed day is the whole day, first and last instant included in WITHIN and excluded from BEFORE and AFTER.
func TestFixedDays(t *testing.T) {
	t.Parallel()
	dates := []string{"2026-11-30T22:59:59Z", "2026-11-30T23:00:00Z", "2026-12-01T00:00:00Z", "2026-12-01T22:59:59.9Z", "2026-12-01T23:00:00Z", "2026-12-02"}
	for _, tt := range []struct{ operator, value, want string }{
		{"BEFORE", "2026-12-01", "TFFFFF"},
		{"AFTER", "2026-12-01", "FFFFTT"},
		{"WITHIN", "2026-12-01 to 2026-12-01", "FTTTFF"},
		{"WITHIN", "2026-12-01 to 2026-12-02", "FTTTTT"},
		{"BEFORE", "2026-12-01T00:00:00+01:00", "TFFFFF"},
		{"AFTER", "2026-11-30T23:00:00Z", "FFFTTT"},
		{"WITHIN", "2026-12-01 to now + 1d", "FTTFFF"},
	} {
		f, got := dated(t, tt.operator, tt.value, "Europe/Berlin"), ""
		now := instant(t, "2026-11-30T12:00:00Z")
		for _, date := range dates {
			verdict, _ := f.Match(object(map[string]string{"employeeHireDate": `"` + date + `"`}), now)
			got += strings.ToUpper(fmt.Sprint(verdict == scope.In)[:1])
		}
		if got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.operator, tt.value, got, tt.want)
		}
		if moves := strings.Contains(tt.value, "now"); f.Dated() != moves {
			t.Errorf("%s %s: depends on the time: %v", tt.operator, tt.value, f.Dated())
		}
	}
}

// A value that is no date is a fault of the record, not a reason to take a user out of scope.
func TestWhatIsNoDate(t *testing.T) {
	t.Parallel()
	f := dated(t, "BEFORE", "now", "UTC")
	for _, raw := range []string{`"soon"`, `20261201`, `true`, `["2026-12-01"]`, `"2026-13-01"`, `"2026-02-30T00:00:00Z"`, `"01.12.2026"`, `" 2026-12-01"`} {
		verdict, why := f.Match(object(map[string]string{"employeeHireDate": raw}), noon)
		if verdict != scope.Invalid || !strings.HasPrefix(why.String(), "employeeHireDate is ") {
			t.Errorf("%s: %v, %q", raw, verdict, why)
		}
		if next := f.Next(object(map[string]string{"employeeHireDate": raw}), noon); !next.IsZero() {
			t.Errorf("%s: changes at %s", raw, next)
		}
	}
	_, why := f.Match(object(map[string]string{"employeeHireDate": `"2026-12-24T00:00:00Z"`}), noon)
	if want := `employeeHireDate is "2026-12-24T00:00:00Z", not before now`; why.String() != want {
		t.Errorf("why: %s, want %s", why, want)
	}
}

func TestFaultsInDates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ attribute, operator, value, want string }{
		{"employeeHireDate", "BEFORE", "tomorrow", `"tomorrow" is no moment; write now, now + 3d`},
		{"employeeHireDate", "BEFORE", "now + 3", `"now + 3" is no moment`},
		{"employeeHireDate", "BEFORE", "now + 3m", `"now + 3m" is no moment`},
		{"employeeHireDate", "BEFORE", "now + 9999999d", "is no moment"},
		{"employeeHireDate", "BEFORE", "2026-02-30", "is no moment"},
		{"employeeHireDate", "BEFORE", "", "BEFORE needs a value"},
		{"employeeHireDate", "BEFORE", "now to now + 1d", "BEFORE compares with one moment"},
		{"employeeHireDate", "WITHIN", "3d", "WITHIN needs two moments, such as: now - 30d to now + 3d"},
		{"employeeHireDate", "WITHIN", "now to later", `"later" is no moment`},
		{"employeeHireDate", "WITHIN", "now + 2d to now + 47h", "the second moment is the earlier one"},
		{"employeeHireDate", "WITHIN", "2026-12-02 to 2026-12-01", "the second moment is the earlier one"},
		{"employeeHireDate", "GREATER_THAN", "5", "is a date, which only BEFORE, AFTER, WITHIN, IS NULL and IS NOT NULL can ask about"},
		{"otherMails", "BEFORE", "now", "has several values"},
		{"manager", "AFTER", "now", "is a reference"},
	} {
		_, faults := scope.Compile([][]scope.Clause{{{Attribute: tt.attribute, Operator: tt.operator, Value: tt.value}}}, nil)
		if len(faults) != 1 || !strings.Contains(faults[0].Error(), tt.want) {
			t.Errorf("%s %s %q: %v, want %q", tt.attribute, tt.operator, tt.value, faults, tt.want)
		}
	}
}

// Filters that mean the same have one text, and another zone is another filter: the configuration's hash is made of it.
func TestTextOfDates(t *testing.T) {
	t.Parallel()
	if a, b := dated(t, "before", "NOW+007d", "UTC").String(), dated(t, "BEFORE", "now  +  7d", "UTC").String(); a != b || a != `(employeeHireDate BEFORE "now + 7d")` {
		t.Errorf("%s and %s", a, b)
	}
	if a, b := dated(t, "BEFORE", "now", "Europe/Berlin").String(), dated(t, "BEFORE", "now", "UTC").String(); a == b {
		t.Errorf("the zone is not part of %s", a)
	}
}

// Between now and Next no instant has another verdict.
func TestVerdictHoldsUntilNext(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Europe/Berlin", "America/Havana", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"}
	rapid.Check(t, func(rt *rapid.T) {
		start := time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)
		at := rapid.Custom(func(rt *rapid.T) time.Time {
			return start.Add(time.Duration(rapid.IntRange(0, 365*24*4).Draw(rt, "quarters")) * 15 * time.Minute)
		})
		moment := rapid.Custom(func(rt *rapid.T) string {
			switch rapid.IntRange(0, 2).Draw(rt, "form") {
			case 0:
				return at.Draw(rt, "day").Format(time.DateOnly)
			case 1:
				return at.Draw(rt, "instant").Format(time.RFC3339)
			}
			return fmt.Sprintf("now %s %d%s", rapid.SampledFrom([]string{"+", "-"}).Draw(rt, "sign"), rapid.IntRange(0, 200).Draw(rt, "n"), rapid.SampledFrom([]string{"h", "d", "w"}).Draw(rt, "unit"))
		})
		clause := rapid.Custom(func(rt *rapid.T) scope.Clause {
			op := rapid.SampledFrom([]string{"BEFORE", "AFTER", "WITHIN"}).Draw(rt, "operator")
			value := moment.Draw(rt, "from")
			if op == "WITHIN" {
				value += " to " + moment.Draw(rt, "to")
			}
			return scope.Clause{Attribute: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "attribute"), Operator: op, Value: value}
		})
		groups := rapid.SliceOfN(rapid.SliceOfN(clause, 1, 3), 1, 3).Draw(rt, "groups")
		f, faults := scope.Compile(groups, location(t, rapid.SampledFrom(zones).Draw(rt, "zone")))
		if len(faults) > 0 {
			rt.Skip("no date is within")
		}
		format := rapid.SampledFrom([]string{time.DateOnly, "2006-01-02T00:00:00Z", time.RFC3339})
		lookup := object(map[string]string{"a": `"` + at.Draw(rt, "a").Format(format.Draw(rt, "form of a")) + `"`, "b": `"` + at.Draw(rt, "b").Format(format.Draw(rt, "form of b")) + `"`})
		now := at.Draw(rt, "now")
		is, _ := f.Match(lookup, now)
		next := f.Next(lookup, now)
		limit := next
		if next.IsZero() {
			limit = now.AddDate(20, 0, 0)
		} else if !next.After(now) {
			rt.Fatalf("next is %s, now %s", next, now)
		}
		then := now.Add(time.Duration(rapid.Int64Range(0, int64(limit.Sub(now))-1).Draw(rt, "later")))
		for _, then := range []time.Time{then, limit.Add(-1)} {
			if got, _ := f.Match(lookup, then); got != is {
				rt.Fatalf("%s: %v at %s and %v at %s, though the next change is at %s", f, is, now, got, then, next)
			}
		}
	})
}
