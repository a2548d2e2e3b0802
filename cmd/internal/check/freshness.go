package check

import (
	"fmt"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/scheduler"
	"entrasync/configs"
)

// freshnessWarnings names the syncs whose cycles come too seldom for their objective.
func freshnessWarnings(cfg *configs.Config, syncs []*compile.Sync) (warnings []string) {
	for _, s := range syncs {
		spec, key := cfg.Schedule, "schedule"
		if s.Removals != "" {
			spec, key = s.Removals, "removals"
		}
		schedule, err := scheduler.Parse(spec)
		if err != nil || s.Freshness == 0 || schedule.Rest() <= s.Freshness {
			continue // a schedule that cannot be parsed is a fault of its own
		}
		warnings = append(warnings, fmt.Sprintf("sync %s, tenant %s: freshness %s cannot be kept, because %s (%s) leaves up to %s between two cycles",
			s.Name, s.TenantName, s.Freshness, key, spec, schedule.Rest()))
	}
	return warnings
}
