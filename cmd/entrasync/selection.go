package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
)

// A selection is what a command line names of the syncs and of the tenants they read from. Where
// it names none, all are meant.
type selection struct {
	syncs   []string
	tenants []string // names or ids
}

// tenantFlag gives a command the option --tenant.
func (sel *selection) tenantFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&sel.tenants, "tenant", nil, "only this `TENANT`: its name or id; may be repeated")
}

// syncFlag gives --sync to a command whose arguments are not syncs.
func (sel *selection) syncFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&sel.syncs, "sync", nil, "only this `SYNC`; may be repeated")
}

// selected returns the syncs that a command is about. What is named and not there is an error: it
// must not pass for something that has nothing to show.
func selected(w *worker.Worker, sel selection) ([]*compile.Sync, error) {
	known := compile.Names(w.Syncs)
	for _, name := range sel.syncs {
		if !slices.Contains(known, name) {
			hint := "syncs of this configuration: " + strings.Join(known, ", ")
			if near := configs.Nearest(name, known); near != "" {
				hint = "did you mean " + near + "?"
			}
			return nil, advice.With(fmt.Errorf("there is no sync %q", name), hint)
		}
	}
	named := slices.DeleteFunc(slices.Clone(w.Syncs), func(s *compile.Sync) bool {
		return len(sel.syncs) > 0 && !slices.Contains(sel.syncs, s.Name)
	})
	if len(sel.tenants) == 0 {
		return named, nil
	}
	chosen := map[graphsync.ID]bool{}
	for _, tenant := range sel.tenants {
		id, err := tenantID(w, tenant)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(named, func(s *compile.Sync) bool { return s.Tenant == id }) {
			reads := "no sync reads"
			if len(sel.syncs) > 0 {
				reads = "sync " + strings.Join(sel.syncs, ", ") + " does not read"
			}
			return nil, fmt.Errorf("%s from tenant %s", reads, tenant)
		}
		chosen[id] = true
	}
	return slices.DeleteFunc(named, func(s *compile.Sync) bool { return !chosen[s.Tenant] }), nil
}

// sayNobody tells why there is nothing to show or do where everybody is yet to join.
func (a *app) sayNobody(w *worker.Worker) {
	if len(w.Syncs) == 0 && w.TakesConsented() {
		fmt.Fprintln(a.err, "note: no tenant has joined yet; invite one: entrasync consent")
	}
}

// soundOf leaves out, and tells of, the syncs that do not fit their tenants: what they would say of
// anybody is wrong.
func (a *app) soundOf(syncs []*compile.Sync) []*compile.Sync {
	return slices.DeleteFunc(slices.Clone(syncs), func(s *compile.Sync) bool {
		err := s.Sound()
		if err != nil {
			fmt.Fprintf(a.err, "entrasync: %v\n", err)
		}
		return err != nil
	})
}

// tenantID finds a tenant by its id or its name. Ids go first, so that nobody's name can be taken
// for the id of another; names that syncs read from go before those of tenants no longer in use.
func tenantID(w *worker.Worker, named string) (graphsync.ID, error) {
	for _, s := range w.Syncs {
		if strings.EqualFold(s.Tenant.String(), named) {
			return s.Tenant, nil
		}
	}
	for _, s := range w.Syncs {
		if s.TenantName == named {
			return s.Tenant, nil
		}
	}
	t, err := w.TenantNamed(named)
	return t.ID, err
}

// called is what to call a tenant in a message: by its name too, where a sync reads from it.
func called(w *worker.Worker, id graphsync.ID) string {
	for _, s := range w.Syncs {
		if s.Tenant == id {
			return fmt.Sprintf("%s (%s)", s.TenantName, id)
		}
	}
	return id.String()
}

// several reports whether a sync reads from other tenants too.
func several(w *worker.Worker, s *compile.Sync) bool {
	return slices.ContainsFunc(w.Syncs, func(other *compile.Sync) bool { return other.Name == s.Name && other.Tenant != s.Tenant })
}

// tenantsOf says which tenants syncs read from, as a message has it.
func tenantsOf(syncs []*compile.Sync) string {
	var names []string
	for _, s := range syncs {
		if !slices.Contains(names, s.TenantName) {
			names = append(names, s.TenantName)
		}
	}
	const most = 5
	switch {
	case len(names) == 0:
		return "any tenant"
	case len(names) == 1:
		return "tenant " + names[0]
	case len(names) > most:
		return fmt.Sprintf("the tenants %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return "the tenants " + strings.Join(names, ", ")
}
