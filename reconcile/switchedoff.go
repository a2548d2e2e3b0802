package reconcile

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"entrasync/graphsync"
	"entrasync/state"
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

// keepOff switches accounts off again that were off before the memberships of a group were changed and
// are not afterwards: some applications work out from a user's groups whether the user can
// sign in (Zabbix 7), and a change of memberships would give a leaver the account back.
func (x *executor) keepOff(ctx context.Context, accounts []string, done *result) error {
	getter, ok := x.target.(target.Getter)
	if !ok {
		return nil
	}
	active, err := target.ParsePath("active")
	if err != nil {
		return err
	}
	for _, id := range accounts {
		ref := target.Ref{Kind: target.User, ID: id}
		shown, err := getter.Get(ctx, ref)
		if target.CodeOf(err) == target.NotFound {
			continue // some hide accounts that are off
		}
		if err != nil {
			return fmt.Errorf("see whether account %s is still switched off: %w", id, err)
		}
		if on, told := activity(shown); !told || !on {
			continue
		}
		off, err := switchedOff(ctx, x.target, shown)
		if err != nil {
			return fmt.Errorf("see whether account %s is still switched off: %w", id, err)
		}
		if off {
			continue
		}
		if _, err := x.target.Update(ctx, ref, []target.Attribute{{Path: active, Value: false}}); err != nil {
			return fmt.Errorf("account %s, which was off, is on after its memberships were changed, and could not be switched off again: %w", id, err)
		}
		done.notes = append(done.notes, fmt.Sprintf("account %s (%s) was off and was switched on by a change of its memberships; it was switched off again", id, nameOf(shown)))
	}
	return nil
}

// inactiveLink reports whether a sync keeps an account switched off.
func (x *executor) inactiveLink(tx *state.Tx, user graphsync.ID) (account string, off bool) {
	link, ok, err := tx.Links(x.sync.Name).Get(graphsync.User, user)
	if err != nil || !ok || link.Active || !x.sync.Users.Maps("active") {
		return "", false
	}
	return link.TargetID, true
}
