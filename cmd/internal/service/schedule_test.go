package service

import (
	"testing"
	"time"

	"entrasync/cmd/internal/scheduler"
)

// A complete compare has its own place behind the schedule's time, once each time.
func TestFullDue(t *testing.T) {
	t.Parallel()
	sunday := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		spec        string
		place       time.Duration
		last        time.Time
		early, late time.Time // when it is not due yet, and when it is
	}{
		"alone":                    {"CRON_TZ=UTC 0 3 * * 0", 0, sunday.AddDate(0, 0, -3), sunday.Add(-time.Minute), sunday},
		"in its place":             {"CRON_TZ=UTC 0 3 * * 0", 2 * time.Hour, sunday.AddDate(0, 0, -3), sunday.Add(119 * time.Minute), sunday.Add(2 * time.Hour)},
		"a week after its place":   {"CRON_TZ=UTC 0 3 * * 0", 2 * time.Hour, sunday.Add(2*time.Hour + time.Minute), sunday.AddDate(0, 0, 7), sunday.AddDate(0, 0, 7).Add(2 * time.Hour)},
		"at the very time":         {"CRON_TZ=UTC 0 3 * * 0", 2 * time.Hour, sunday, sunday.Add(6 * 24 * time.Hour), sunday.AddDate(0, 0, 7).Add(2 * time.Hour)},
		"every so often":           {"@every 24h", 2 * time.Hour, sunday, sunday.Add(24*time.Hour - time.Second), sunday.Add(24 * time.Hour)},
		"a day that is every year": {"CRON_TZ=UTC 0 3 1 1 *", time.Hour, sunday, sunday.AddDate(0, 1, 0), time.Date(2027, 1, 1, 4, 0, 0, 0, time.UTC)},
	} {
		full, err := scheduler.Parse(tt.spec)
		if err != nil {
			t.Fatal(err)
		}
		if fullDue(full, tt.last, tt.place, tt.early) {
			t.Errorf("%s: due at %s", name, tt.early)
		}
		if !fullDue(full, tt.last, tt.place, tt.late) {
			t.Errorf("%s: not due at %s", name, tt.late)
		}
	}
}
