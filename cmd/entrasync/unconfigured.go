package main

import (
	"fmt"
	"slices"

	"entrasync/cmd/internal/compile"
	"entrasync/graphsync"
	"entrasync/state"
)

// An unconfiguredSync is a sync that the state has linked accounts of and the configuration has no
// longer: nothing is done to them, and they keep what they have.
type unconfiguredSync struct {
	Sync   string `json:"sync"`
	Tenant string `json:"tenant"`
	Linked int    `json:"linked"` // accounts and groups
	Active int    `json:"active"` // accounts that are active

	tenantName string
}

// String says what there is and what can be done.
func (u unconfiguredSync) String() string {
	return fmt.Sprintf("sync %s, tenant %s, is no longer configured: %s linked in its state, %d of them active, stay as they are, also when their users leave",
		u.Sync, u.tenantName, count(u.Linked, "account or group", "accounts and groups"), u.Active)
}

// unconfiguredAdvice is what can be done about one.
const unconfiguredAdvice = "configure a sync of that name again, or have the sync that replaces it take them over: entrasync sync --full offers them as holds"

// unconfigured returns the syncs of the tenants of some syncs that have links and are not
// configured.
func (w *worker) unconfigured(syncs []*compile.Sync) ([]unconfiguredSync, error) {
	found := []unconfiguredSync{}
	if w.store == nil {
		return found, nil
	}
	seen := map[graphsync.ID]bool{}
	for _, s := range syncs {
		if seen[s.Tenant] {
			continue
		}
		seen[s.Tenant] = true
		_, configured := w.peers(s.Tenant)
		tenant, err := w.store.Tenant(s.Tenant)
		if err != nil {
			return nil, err
		}
		err = tenant.View(func(tx *state.Tx) error {
			for _, name := range tx.Syncs() {
				if linked(tx, name) > 0 && !slices.Contains(configured, name) {
					all, active := tx.CountLinks(name, graphsync.User)
					groups, _ := tx.CountLinks(name, graphsync.Group)
					found = append(found, unconfiguredSync{Sync: name, Tenant: s.Tenant.String(), Linked: all + groups, Active: active, tenantName: s.TenantName})
				}
			}
			return nil
		})
		tenant.Close()
		if err != nil {
			return nil, fmt.Errorf("read which syncs tenant %s has links of: %w", s.TenantName, err)
		}
	}
	return found, nil
}
