package check

import (
	"context"
	"fmt"
)

// shortfallSyncs bounds how many syncs and tenants are looked at for each target.
const shortfallSyncs = 10

// shortfalls warns of what an application lacks as far as accounts have shown it by now, once for all
// syncs and tenants that write to it.
func (c *Checker) shortfalls(ctx context.Context, t *targetTest, out *Section) {
	if c.worker.Store == nil {
		return
	}
	seen := map[string]bool{}
	for _, s := range t.syncs[:min(len(t.syncs), shortfallSyncs)] {
		if s.Tenant.IsZero() {
			continue // of tenants that have yet to join
		}
		tenant, err := c.worker.Store.Tenant(s.Tenant)
		if err != nil {
			continue // reported with the tenant
		}
		found, err := s.Shortfalls(ctx, t.adapter, tenant)
		_ = tenant.Close() // it was read only
		if err != nil {
			out.warn(t.what, fmt.Sprintf("what it lacks could not be found out from accounts of sync %s: %v", s.Name, err), "")
			return
		}
		for _, f := range found {
			if !seen[f.Message] {
				seen[f.Message] = true
				out.warn(t.what, f.Message, f.Hint)
			}
		}
	}
}
