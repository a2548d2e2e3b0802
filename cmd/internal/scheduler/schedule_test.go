package scheduler_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrasync/cmd/internal/scheduler"
)

func TestParseFaults(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"":                               "empty spec",
		"often":                          "expected exactly 5 fields",
		"* * * *":                        "expected exactly 5 fields",
		"61 * * * *":                     "above maximum",
		"CRON_TZ=UTC":                    "nothing follows the time zone",
		"TZ=Europe/Berlin":               "nothing follows the time zone",
		"CRON_TZ=Europe/Atlantis @daily": "Atlantis",
		"@every":                         "unrecognized descriptor",
		"@every soon":                    "soon",
		"@every 0s":                      "at least 1s",
		"@every -5m":                     "at least 1s",
		"@every 500ms":                   "at least 1s",
		"0 0 30 2 *":                     "never comes",
		"@reboot":                        "unrecognized descriptor",
	} {
		s, err := scheduler.Parse(spec)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "@every 30m") {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q and an example", spec, s, err, want)
		}
	}
}

// ticks returns the next n ticks in UTC.
func ticks(t *testing.T, spec string, from time.Time, n int) (all []string) {
	s := parse(t, spec)[0]
	for at := from; n > 0; n-- {
		at = s.Next(from, at)
		all = append(all, at.UTC().Format("01-02 15:04"))
	}
	return all
}

// Berlin went to summer time on 29 March 2026 at 01:00 UTC and goes back on 25 October.
func TestDaylightSaving(t *testing.T) {
	t.Parallel()
	march := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	october := time.Date(2026, 10, 23, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		spec string
		from time.Time
		want []string
	}{
		{"CRON_TZ=Europe/Berlin 0 3 * * *", march, []string{"03-28 02:00", "03-29 01:00", "03-30 01:00"}},
		{"CRON_TZ=Europe/Berlin 0 3 * * *", october, []string{"10-24 01:00", "10-25 02:00", "10-26 02:00"}},
		{"CRON_TZ=Europe/Berlin 30 2 * * *", march, []string{"03-28 01:30", "03-29 01:30", "03-30 00:30"}},   // 02:30 is left out on the 29th: 03:30
		{"CRON_TZ=Europe/Berlin 30 2 * * *", october, []string{"10-24 00:30", "10-25 00:30", "10-25 01:30"}}, // and comes twice on the 25th
		{"CRON_TZ=Europe/Berlin */20 2 * * 0", march, []string{"03-29 01:00", "04-05 00:00", "04-05 00:20"}}, // once
		{"CRON_TZ=Europe/Berlin 30 2,3 * * *", march, []string{"03-28 01:30", "03-28 02:30", "03-29 01:30", "03-30 00:30"}},
		{"CRON_TZ=Europe/Berlin 30 * * * *", march.Add(36*time.Hour + 30*time.Minute), []string{"03-29 01:30", "03-29 02:30"}},
		{"CRON_TZ=Europe/Berlin 0 2 29 3 *", march, []string{"03-29 01:00", "03-29 00:00"}},
		{"CRON_TZ=America/New_York 15 2 8 3 *", march.AddDate(-1, 0, 0), []string{"03-08 07:15", "03-08 07:15"}},
		{"CRON_TZ=Australia/Lord_Howe 10 2 * * *", time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC), []string{"10-03 15:40", "10-04 15:10"}}, // half an hour
		{"CRON_TZ=UTC 0 3 * * 0", march, []string{"03-29 03:00", "04-05 03:00"}},
		{"@every 12h", march, []string{"03-28 00:00", "03-28 12:00", "03-29 00:00", "03-29 12:00"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, ticks(t, tt.spec, tt.from, len(tt.want))); diff != "" {
			t.Errorf("%s: %s", tt.spec, diff)
		}
	}
}

// Started in the hour after the change, a schedule has what is still to come of the hour left out.
func TestStartedAfterTheChange(t *testing.T) {
	t.Parallel()
	s := parse(t, "CRON_TZ=Europe/Berlin 30 2 * * *")[0]
	for minute, want := range map[int]string{0: "03-29 01:30", 29: "03-29 01:30", 30: "03-30 00:30", 45: "03-30 00:30"} {
		at := time.Date(2026, 3, 29, 1, minute, 0, 0, time.UTC)
		if got := s.Next(at, at).UTC().Format("01-02 15:04"); got != want {
			t.Errorf("after 01:%02d: %s, want %s", minute, got, want)
		}
	}
}

// A machine that slept for days does not make up for each tick it missed, nor lose its phase.
func TestEveryKeepsItsPhase(t *testing.T) {
	t.Parallel()
	s := parse(t, "@every 30m")[0]
	anchor := time.Date(2026, 1, 1, 10, 7, 0, 0, time.UTC)
	for after, want := range map[time.Duration]time.Duration{
		-time.Hour:                        0,
		0:                                 30 * time.Minute,
		29 * time.Minute:                  30 * time.Minute,
		30 * time.Minute:                  60 * time.Minute,
		1000*time.Hour + 12*time.Minute:   1000*time.Hour + 30*time.Minute,
		90*time.Minute - time.Nanosecond:  90 * time.Minute,
		400*24*time.Hour + 59*time.Second: 400*24*time.Hour + 30*time.Minute,
	} {
		if got := s.Next(anchor, anchor.Add(after)).Sub(anchor); got != want {
			t.Errorf("after %v comes %v, want %v", after, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, spec := range []string{"*/30 * * * *", "@every 1h30m", "CRON_TZ=Europe/Berlin 0 3 * * 0", "TZ=", "0 0 29 2 *", "1-5/2,7 * ? jan mon"} {
		f.Add(spec)
	}
	from := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := scheduler.Parse(spec)
		if err != nil {
			return
		}
		if next := s.Next(from, from); !next.IsZero() && !next.After(from) {
			t.Errorf("%q: %v is not after %v", spec, next, from)
		}
		if again, err := scheduler.Parse(s.String()); err != nil || again.String() != s.String() {
			t.Errorf("%q does not parse again: %v", s, err)
		}
	})
}

// The longest rest is what may pass between two cycles when all is well.
func TestRest(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]time.Duration{
		"@every 30m": 30 * time.Minute, "@hourly": time.Hour, "CRON_TZ=UTC 0 6 * * 1-5": 72 * time.Hour, "CRON_TZ=UTC 0 3 * * 0": 7 * 24 * time.Hour,
	} {
		if got := parse(t, spec)[0].Rest(); got != want {
			t.Errorf("%q rests %v, want %v", spec, got, want)
		}
	}
}
