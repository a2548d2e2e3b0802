package reconcile

import (
	"context"
	"fmt"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

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
