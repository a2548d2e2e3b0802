package main

import (
	"fmt"
	"net"
	"reflect"
	"strings"

	"entrasync/cmd/internal/scheduler"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile/mapping"
	"entrasync/target/all"
)

// What loading a configuration finds beyond its syntax, and what it only warns of.

// checkSchedules parses the schedules as the service does: a date that never comes, or an interval
// below a second, must not first be refused when the service starts.
func checkSchedules(cfg *configs.Config) (faults configs.Faults) {
	for key, spec := range map[string]string{"schedule": cfg.Schedule, "full_cycle": cfg.FullCycle} {
		if spec == "" {
			continue
		}
		if _, err := scheduler.Parse(spec); err != nil {
			faults = append(faults, configs.Fault{Position: cfg.Position(key), Key: key, Message: err.Error()})
		}
	}
	return faults
}

// checkPlaceholders finds what `entrasync init` wrote for the user to fill in.
func checkPlaceholders(cfg *configs.Config) (faults configs.Faults) {
	unfilled := func(value, hint string, key ...string) {
		if value == anID {
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

// mappingWarnings returns the warnings of the syncs' expressions, each with its sync and attribute
// and once for all tenants.
func (w *worker) mappingWarnings(syncs []*plannedSync) (warnings []string) {
	seen := map[string]bool{}
	for _, s := range syncs {
		for _, of := range []struct {
			section string
			list    func() []string
		}{
			{"users", func() []string { return warningTexts(s.Users.Mapping) }},
			{"groups", func() []string {
				if !s.Groups.Enabled {
					return nil
				}
				return warningTexts(s.Groups.Mapping)
			}},
		} {
			for _, text := range of.list() {
				text = fmt.Sprintf("sync %s, %s.attributes.%s", s.Name, of.section, text)
				if !seen[text] {
					seen[text] = true
					warnings = append(warnings, text)
				}
			}
		}
	}
	return warnings
}

// placeholderTenant reports whether {tenant} stands in a target's options.
func placeholderTenant(options all.Options) bool {
	return !reflect.DeepEqual(options.For(graphsync.ID{}.String()), options)
}

func listenTCP(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

func warningTexts(m *mapping.Mapping) (texts []string) {
	if m == nil {
		return nil
	}
	for _, f := range m.Warnings() {
		texts = append(texts, f.Path+": "+f.Message)
	}
	return texts
}
