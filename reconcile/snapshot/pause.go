package snapshot

import (
	"errors"
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// A pause is the time until which Graph has asked not to be asked again.
type pause struct {
	tenant *state.Tenant
	now    time.Time // when the cycle began
	clock  func() time.Time
}

// check ends a cycle that begins before the time until which Graph has asked to wait: each
// request before it is refused as well, and prolongs the wait (Graph throttling guidance).
func (p pause) check() error {
	var stored state.Pause
	err := p.tenant.View(func(tx *state.Tx) error {
		stored = tx.Pause()
		return nil
	})
	left := stored.Until.Sub(p.now)
	if err != nil || left <= 0 || p.now.Before(stored.Since) {
		return err
	}
	return &graphsync.Error{Class: graphsync.Throttled, Op: "wait", RetryAfter: left,
		Message: fmt.Sprintf("Microsoft Graph asked at %s not to be asked again for %s, until %s", stored.Since.Format(time.RFC3339),
			stored.Until.Sub(stored.Since).Round(time.Second), stored.Until.Format(time.RFC3339)),
		Hint: "nothing to do: the first cycle after that time reads on; nothing was sent to Graph"}
}

// remember keeps a wait that Graph asks for and that is longer than a cycle waits.
func (p pause) remember(cause error) error {
	e := (*graphsync.Error)(nil)
	if !errors.As(cause, &e) || e.Class != graphsync.Throttled || e.Op == "wait" || e.RetryAfter < time.Second {
		return cause
	}
	now := p.clock().UTC()
	return errors.Join(cause, p.tenant.Update(func(tx *state.Tx) error {
		return tx.PutPause(state.Pause{Since: now, Until: now.Add(e.RetryAfter)})
	}))
}
