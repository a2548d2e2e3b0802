package compile

import (
	"fmt"
	"strings"

	"entrasync/cmd/internal/scheduler"
	"entrasync/configs"
	"entrasync/reconcile/mapping"
)

// schedules parses the schedules as the service does: a date that never comes, or an interval
// below a second, must not first be refused when the service starts.
func schedules(cfg *configs.Config) (faults configs.Faults) {
	check := func(spec string, key ...string) {
		if spec == "" || spec == "off" {
			return
		}
		if _, err := scheduler.Parse(spec); err != nil {
			faults = append(faults, configs.Fault{Position: cfg.Position(key...), Key: strings.Join(key, "."), Message: err.Error()})
		}
	}
	check(cfg.Schedule, "schedule")
	check(cfg.FullCycle, "full_cycle")
	check(cfg.Removals, "removals")
	if cfg.Backup != nil {
		check(cfg.Backup.Schedule, "backup", "schedule")
	}
	if cfg.Drift != nil {
		check(cfg.Drift.Schedule, "drift", "schedule")
	}
	for _, tenant := range cfg.Tenants {
		check(tenant.Value.Removals, "tenants", tenant.Name, "removals")
	}
	for _, sync := range cfg.Syncs {
		check(sync.Value.Removals, "syncs", sync.Name, "removals")
		if sync.Value.Drift != nil {
			check(sync.Value.Drift.Schedule, "syncs", sync.Name, "drift", "schedule")
		}
	}
	return faults
}

// oneMachine finds targets that belong to one machine where several machines share the state: each would write to a file of its
// own.
func oneMachine(cfg *configs.Config) (faults configs.Faults) {
	if !cfg.State.InDatabase() {
		return nil
	}
	for _, target := range cfg.Targets {
		if target.Value.Type == "file" {
			key := []string{"targets", target.Name, "type"}
			faults = append(faults, configs.Fault{Position: cfg.Position(key...), Key: strings.Join(key, "."),
				Message: strings.Join(key, ".") + " is file, which belongs to one machine, and the state is in a database that several machines share",
				Hint:    "use type: scim, or keep the state in a folder"})
		}
	}
	return faults
}

// placeholders finds what `entrasync init` wrote for the user to fill in.
func placeholders(cfg *configs.Config) (faults configs.Faults) {
	unfilled := func(value, hint string, key ...string) {
		if value == AnyTenant {
			faults = append(faults, configs.Fault{Position: cfg.Position(key...), Key: strings.Join(key, "."),
				Message: strings.Join(key, ".") + " still holds the placeholder of entrasync init", Hint: hint})
		}
	}
	const client = "copy the Application (client) ID from the app registration's overview"
	if cfg.App != nil {
		unfilled(cfg.App.ClientID, client, "app", "client_id")
	}
	for _, tenant := range cfg.Tenants {
		unfilled(tenant.Value.ID, "copy the Directory (tenant) ID from the app registration's overview", "tenants", tenant.Name, "id")
		if tenant.Value.App != nil {
			unfilled(tenant.Value.App.ClientID, client, "tenants", tenant.Name, "app", "client_id")
		}
	}
	return faults
}

// Warnings returns what is doubtful in the expressions of syncs, each with its sync and attribute
// and once for all tenants.
func Warnings(syncs []*Sync) (warnings []string) {
	seen := map[string]bool{}
	add := func(sync, section string, m *mapping.Mapping) {
		if m == nil {
			return
		}
		for _, f := range m.Warnings() {
			text := fmt.Sprintf("sync %s, %s.attributes.%s: %s", sync, section, f.Path, f.Message)
			if !seen[text] {
				seen[text] = true
				warnings = append(warnings, text)
			}
		}
	}
	for _, s := range syncs {
		add(s.Name, "users", s.Users.Mapping)
		if s.Groups.Enabled {
			add(s.Name, "groups", s.Groups.Mapping)
		}
	}
	return warnings
}
