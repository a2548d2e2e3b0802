package worker

import (
	"fmt"
	"slices"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/words"
	"entrasync/graphsync"
	"entrasync/state"
)

// An UnconfiguredSync has linked accounts in the state and is no longer in the configuration. Nothing is
// done to its accounts: they stay as they are.
type UnconfiguredSync struct {
	Sync   string `json:"sync"`
	Tenant string `json:"tenant"`
	Linked int    `json:"linked"` // accounts and groups
	Active int    `json:"active"` // accounts that are active

	tenantName string
}

// String says what is linked and what happens to it.
func (u UnconfiguredSync) String() string {
	return fmt.Sprintf("sync %s, tenant %s, is no longer configured: %s linked in its state, %d of them active, stay as they are, also when their users leave",
		u.Sync, u.tenantName, words.Count(u.Linked, "account or group", "accounts and groups"), u.Active)
}

// UnconfiguredAdvice is what can be done about one.
const UnconfiguredAdvice = "configure a sync of that name again, or have the sync that replaces it take them over: entrasync sync --full offers them as holds"

// Unconfigured returns the syncs that have links in the tenants of syncs and are not configured.
func (w *Worker) Unconfigured(syncs []*compile.Sync) ([]UnconfiguredSync, error) {
	found := []UnconfiguredSync{}
	if w.Store == nil {
		return found, nil
	}
	seen := map[graphsync.ID]bool{}
	for _, s := range syncs {
		if seen[s.Tenant] {
			continue
		}
		seen[s.Tenant] = true
		_, configured := w.TenantSyncs(s.Tenant)
		tenant, err := w.Store.Tenant(s.Tenant)
		if err != nil {
			return nil, err
		}
		err = tenant.View(func(tx *state.Tx) error {
			for _, name := range tx.Syncs() {
				if slices.Contains(configured, name) {
					continue
				}
				all, active := tx.Links(name).Count(graphsync.User)
				groups, activeGroups := tx.Links(name).Count(graphsync.Group)
				if active+activeGroups > 0 {
					found = append(found, UnconfiguredSync{Sync: name, Tenant: s.Tenant.String(), Linked: all + groups, Active: active, tenantName: s.TenantName})
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
