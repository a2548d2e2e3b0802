package reconcile

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"entrasync/graphsync"
	"entrasync/target"
)

// switchedOff reports whether a user who is shown as active is off all the same, as far as the
// application lets one find out.
func switchedOff(ctx context.Context, t target.Adapter, shown *target.Resource) (bool, error) {
	checker, ok := t.(target.OffChecker)
	if !ok || shown == nil {
		return false, nil
	}
	return checker.SwitchedOff(ctx, shown)
}

// showSwitchedOff shows the accounts as inactive that were switched off, are shown as active and are
// off all the same. Otherwise each complete compare would switch them off again.
func (c *comparer) showSwitchedOff(ctx context.Context, found []observedLink) error {
	for i := range found {
		link, shown := &found[i].link, found[i].shown
		if active, told := activity(shown); link.Kind != graphsync.User || link.Active || !told || !active {
			continue
		}
		off, err := switchedOff(ctx, c.target, shown)
		if err != nil {
			return fmt.Errorf("find out whether account %s in target %s is switched off: %w", link.TargetID, c.sync.TargetName, err)
		}
		if off {
			inactive := *shown
			inactive.Attributes = maps.Clone(shown.Attributes)
			for name := range shown.Attributes {
				if strings.EqualFold(name, "active") {
					inactive.Attributes[name] = false
				}
			}
			found[i].shown = &inactive
		}
	}
	return nil
}
