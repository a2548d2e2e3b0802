// Package lookup finds what a command line names: syncs, tenants, users and groups.
//
// It reads the configuration and the snapshots of an open worker; it asks neither Graph nor a target, and prints
// nothing. It promises that what is named and not there, or there several times, is an error with what may have
// been meant, and never an empty result.
package lookup

import (
	"fmt"
	"slices"
	"strings"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
)

// A Selection is what a command line names of the syncs and of the tenants they read from. Where
// it names none, all are meant.
type Selection struct {
	Syncs   []string
	Tenants []string // names or ids
}

// Of returns the syncs that a command is about. What is named and not there is an error: it
// must not pass for something that has nothing to show.
func (sel Selection) Of(w *worker.Worker) ([]*compile.Sync, error) {
	known := compile.Names(w.Syncs)
	for _, name := range sel.Syncs {
		if !slices.Contains(known, name) {
			hint := "syncs of this configuration: " + strings.Join(known, ", ")
			if near := configs.Nearest(name, known); near != "" {
				hint = "did you mean " + near + "?"
			}
			return nil, advice.With(fmt.Errorf("there is no sync %q", name), hint)
		}
	}
	named := slices.DeleteFunc(slices.Clone(w.Syncs), func(s *compile.Sync) bool {
		return len(sel.Syncs) > 0 && !slices.Contains(sel.Syncs, s.Name)
	})
	if len(sel.Tenants) == 0 {
		return named, nil
	}
	chosen := map[graphsync.ID]bool{}
	for _, tenant := range sel.Tenants {
		id, err := TenantID(w, tenant)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(named, func(s *compile.Sync) bool { return s.Tenant == id }) {
			reads := "no sync reads"
			if len(sel.Syncs) > 0 {
				reads = "sync " + strings.Join(sel.Syncs, ", ") + " does not read"
			}
			return nil, fmt.Errorf("%s from tenant %s", reads, tenant)
		}
		chosen[id] = true
	}
	return slices.DeleteFunc(named, func(s *compile.Sync) bool { return !chosen[s.Tenant] }), nil
}

// TenantID finds a tenant by its id or its name. Ids go first, so that no tenant's name is taken
// for the id of another; names that syncs read from go before those of tenants no longer in use.
func TenantID(w *worker.Worker, named string) (graphsync.ID, error) {
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
	t, err := w.Tenants.Named(named)
	return t.ID, err
}

// Called is what to call a tenant in a message: by its name too, where a sync reads from it.
func Called(w *worker.Worker, id graphsync.ID) string {
	for _, s := range w.Syncs {
		if s.Tenant == id {
			return fmt.Sprintf("%s (%s)", s.TenantName, id)
		}
	}
	return id.String()
}

// Several reports whether a sync reads from other tenants too.
func Several(w *worker.Worker, s *compile.Sync) bool {
	return slices.ContainsFunc(w.Syncs, func(other *compile.Sync) bool { return other.Name == s.Name && other.Tenant != s.Tenant })
}

// TenantNames says which tenants syncs read from, as a message has it.
func TenantNames(syncs []*compile.Sync) string {
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
