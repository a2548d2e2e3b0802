package check

import (
	"context"
	"maps"
	"slices"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/worker"
	"entrasync/target"
)

// sharedPlaces compares the first accounts that the tenants of targets with {tenant} are shown.
func (c *Checker) sharedPlaces(ctx context.Context, syncs []*compile.Sync) {
	tenants := map[string][]*compile.Sync{}
	for _, s := range syncs {
		if application, err := c.worker.Application(s); err == nil && application.Key != s.TargetName {
			tenants[s.TargetName] = append(tenants[s.TargetName], s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tenants)) {
		if len(tenants[name]) > 1 {
			c.each(ctx, 1, targetCheckTime, func(ctx context.Context, _ int, out *Section) { c.sharedPlace(ctx, tenants[name], out) })
		}
	}
}

func (c *Checker) sharedPlace(ctx context.Context, syncs []*compile.Sync, out *Section) {
	pages := make([][]target.Resource, len(syncs))
	for i, s := range syncs {
		adapter, err := c.worker.Target(s)
		if err != nil {
			continue // said elsewhere, as what follows is
		}
		if pages[i], err = worker.FirstAccounts(ctx, adapter); err != nil {
			continue
		}
		for j, other := range syncs[:i] {
			if r := worker.SharedAccount(pages[i], pages[j]); r != nil && other.Expansion != s.Expansion {
				out.Fail("target "+s.TargetName, worker.SharedError(s, other, r))
				return
			}
		}
	}
}
